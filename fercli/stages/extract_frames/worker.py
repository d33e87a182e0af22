"""One video to its keyframes on disk; runs in any process, knows no tables."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from fercli.core.errors import MediaError
from fercli.core.places import Places
from fercli.core.rows import Frame
from fercli.stages.extract_frames import ExtractFramesSettings
from fercli.vision.images import write_jpeg
from fercli.vision.keyframes import selection as keyframes
from fercli.vision.keyframes.selection import Selection, SelectionRule, select_frames
from fercli.vision.video.reader import VideoReader

JPEG_QUALITY = 95
Tell = Callable[[int], None]


@dataclass(frozen=True)
class ExtractPlan:
    """What a worker must know.

    Attributes:
        root: of the project, which the paths of videos are relative to.
        room: where the files of frames are written, under the paths that they will have in the project.
        is_shared: other workers run beside this one, so that one thread is its share.
    """

    root: Path
    room: Path
    settings: ExtractFramesSettings
    is_shared: bool


@dataclass(frozen=True)
class VideoTask:
    """A video and where it lies in the project, or the part of it from `start_s` to before `end_s`."""

    video_id: str
    path: str
    start_s: float
    end_s: float | None


@dataclass(frozen=True)
class VideoFrames:
    """The frames kept of one video; `failure` says why there are none, when it could not be read."""

    video_id: str
    frames: tuple[Frame, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    num_decoded: int = 0
    warnings: tuple[str, ...] = ()
    failure: str = ""

    def record(self) -> dict[str, Any]:  # JSON, for the journal
        """As the journal holds it."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> "VideoFrames":  # JSON of `record`
        """The inverse of `record`."""
        return VideoFrames(
            record["video_id"],
            tuple(Frame(**frame) for frame in record["frames"]),
            record["dropped"],
            record["num_decoded"],
            tuple(record["warnings"]),
        )


def join_parts(parts: Sequence[VideoFrames]) -> VideoFrames:
    """What was kept of the parts of one video as if it had been done at once."""
    first = parts[0]
    return VideoFrames(
        first.video_id,
        tuple(frame for part in parts for frame in part.frames),
        dict(sorted(sum((Counter(part.dropped) for part in parts), Counter()).items())),
        sum(part.num_decoded for part in parts),
        tuple(dict.fromkeys(text for part in parts for text in part.warnings)),
        next((part.failure for part in parts if part.failure), ""),
    )


def make_worker(plan: ExtractPlan, tell: Tell | None = None) -> Callable[[VideoTask], VideoFrames]:
    """A function that writes the keyframes of one video and returns their rows.

    Args:
        plan: what to do.
        tell: called with the index of each frame that is reached; only within one process.
    """
    # Imported once in each process, before the first item.
    rule = keyframes.SelectionRule(
        method=plan.settings.method,
        every_s=plan.settings.every_s,
        sharpest=plan.settings.sharpest,
        num=plan.settings.num,
        change_threshold=plan.settings.change_threshold,
        scene_threshold=plan.settings.scene_threshold,
        min_gap_s=plan.settings.min_gap_s,
        min_sharpness=plan.settings.min_sharpness,
        dedup_bits=plan.settings.dedup,
        seed=plan.settings.seed,
    )

    def work(task: VideoTask) -> VideoFrames:
        try:
            return _extract(task, plan, rule, tell)
        except MediaError as error:
            return VideoFrames(task.video_id, failure=error.message)

    return work


def _extract(task: VideoTask, plan: ExtractPlan, rule: SelectionRule, tell: Tell | None) -> VideoFrames:
    made, num_damaged = _pass(task, plan, rule, tell, threads=1 if plan.is_shared else None)
    if num_damaged and not plan.is_shared:
        # What several threads make of damage depends on which is first; one thread gives the same in every run.
        for frame in made.frames:
            if frame.path:
                (plan.room / frame.path).unlink(missing_ok=True)
        made, _ = _pass(task, plan, rule, tell, threads=1)
    return made


def _pass(
    task: VideoTask, plan: ExtractPlan, rule: SelectionRule, tell: Tell | None, *, threads: int | None
) -> tuple[VideoFrames, int]:
    reader = VideoReader(
        Places(plan.root).inside(task.path, "videos.csv"),
        start_s=task.start_s,
        end_s=task.end_s,
        threads=threads,
        watch=(lambda frame: tell(frame.index)) if tell else None,
    )
    selection = select_frames(reader, rule)
    frames = _write(selection, task.video_id, plan)
    made = VideoFrames(
        task.video_id,
        tuple(frames),
        dict(sorted(selection.drops.items())),
        reader.num_decoded_in_all,
        selection.warnings,
    )
    return made, max(selection.num_damaged, reader.num_damaged)


def _write(selection: Selection, video_id: str, plan: ExtractPlan) -> list[Frame]:
    frames = []
    with closing(iter(selection)) as chosen:
        for kept in islice(chosen, plan.settings.limit):
            path = f"frames/{video_id}/f{kept.index:06d}.jpg" if plan.settings.keep else ""
            if path:
                write_jpeg(plan.room / path, kept.image, JPEG_QUALITY)
            frames.append(
                Frame(
                    frame_id=f"{video_id}/f{kept.index:06d}",
                    video_id=video_id,
                    frame_index=kept.index,
                    time_s=round(kept.time_s, 6),
                    path=path,
                    method=plan.settings.method,
                    score=None if kept.score is None else round(kept.score, 4),
                    sharpness=round(kept.sharpness, 4),
                    phash=kept.phash,
                )
            )
    return frames
