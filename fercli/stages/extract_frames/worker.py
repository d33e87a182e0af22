"""Extract the keyframes of one video to disk; runs in any process, knows no tables."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fercli.core.errors import MediaError
from fercli.core.files import replace_bytes
from fercli.core.places import Places
from fercli.core.rows import Frame
from fercli.engine import guard
from fercli.stages.extract_frames import ExtractFramesSettings

# Run where one may die of a video; see `engine/guard.py`.
CHOOSE = "fercli.stages.extract_frames.choosing:choose"
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
class KeptFile:
    """A keyframe and its file, empty where files are not kept."""

    frame: Frame
    jpeg: bytes


@dataclass(frozen=True)
class Chosen:
    """What is known of a video when all its keyframes are chosen; as in `VideoFrames`."""

    dropped: Mapping[str, int] = field(default_factory=dict)
    num_decoded: int = 0
    warnings: tuple[str, ...] = ()
    num_damaged: int = 0


@dataclass(frozen=True)
class VideoTask:
    """A video and where it lies in the project, or the part of it from `start_s` to before `end_s`.

    `stream` as in videos.csv.
    """

    video_id: str
    path: str
    start_s: float
    end_s: float | None
    stream: int | None = None


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

    def work(task: VideoTask) -> VideoFrames:
        try:
            return _extract(task, plan, tell)
        except MediaError as error:
            return VideoFrames(task.video_id, failure=error.message)

    return work


def _extract(task: VideoTask, plan: ExtractPlan, tell: Tell | None) -> VideoFrames:
    made, num_damaged = _pass(task, plan, tell, threads=1 if plan.is_shared else None)
    if num_damaged and not plan.is_shared:
        # What several threads make of damage depends on which is first; one thread gives the same in every run.
        for frame in made.frames:
            if frame.path:
                (plan.room / frame.path).unlink(missing_ok=True)
        made, _ = _pass(task, plan, tell, threads=1)
    return made


def _pass(task: VideoTask, plan: ExtractPlan, tell: Tell | None, *, threads: int | None) -> tuple[VideoFrames, int]:
    path = Places(plan.root).inside(task.path, "videos.csv")
    frames, chosen = [], Chosen()
    for said in guard.stream(CHOOSE, path, task, plan.settings, threads, name=task.video_id, tell=tell):
        if isinstance(said, KeptFile):
            if said.frame.path:
                replace_bytes(plan.room / said.frame.path, said.jpeg)
            frames.append(said.frame)
        else:
            chosen = said
    made = VideoFrames(task.video_id, tuple(frames), chosen.dropped, chosen.num_decoded, chosen.warnings)
    return made, chosen.num_damaged
