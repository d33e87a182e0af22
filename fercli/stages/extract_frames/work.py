"""The work of `fer extract-frames`: decode, choose, and fold into the table of frames."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from fercli.core.batch import Batch
from fercli.core.commit import Commit
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Frame, Video
from fercli.core.words import counted
from fercli.engine.choose import choose_engine
from fercli.engine.local import LOCAL, Engine
from fercli.engine.parts import part_length, split_time
from fercli.stages.extract_frames import CHANGED, ExtractFramesResult, ExtractFramesSettings
from fercli.stages.extract_frames.meter import FrameMeter, num_frames_of
from fercli.stages.extract_frames.plan import ExtractionPlan, item_key, plan
from fercli.stages.extract_frames.voted import refusal, some_of, voted_on
from fercli.stages.extract_frames.worker import ExtractPlan, Tell, VideoFrames, VideoTask, join_parts, make_worker

# The part of a long video that a task on a cluster does.
_PART_S = 600.0
__all__ = ["fold", "plan", "run"]


@dataclass(frozen=True)
class Extracted:
    """What was taken of each video, and which could not be read."""

    videos: list[VideoFrames]
    failures: list[Failure]
    batch: Batch


def run(
    project: Project,
    settings: ExtractFramesSettings,
    plan: ExtractionPlan,
    *,
    progress: Progress,
    batch: Batch,
    engine: Engine = LOCAL,
) -> Extracted:
    """Extract what the batch does not hold yet; files wait in its room.

    A video that cannot be read does not stop the others; a damaged one gives its whole frames, the same in every run.

    Args:
        project: has videos.
        settings: which frames to keep.
        plan: the videos to work on.
        progress: told of each video, counted in its frames.
        batch: holds what an interrupted run has finished.
        engine: where to work; the default uses `settings.workers` processes here.
    """
    todo = [video for video in plan.todo if not _is_finished(plan, video.video_id, batch)]
    changed = project.places.changed_videos(todo)
    todo = [video for video in todo if video.video_id not in changed]
    meter = FrameMeter(progress, sum(map(num_frames_of, plan.todo)))
    meter.skip(sum(num_frames_of(video) for video in plan.todo if video not in todo))
    is_here = engine is LOCAL and settings.engine == "local" and settings.workers == 1
    # Another process, or another machine, cannot tell how far it is before it is done.
    tell = meter.reach if is_here else None
    if engine is LOCAL:
        engine = choose_engine(settings.engine, address=settings.address, workers=settings.workers)
    for video in todo:
        project.inside(video.path, "videos.csv")
    tasks = [_parts(video, settings) for video in todo]
    maker = _Maker(ExtractPlan(project.root, batch.room, settings, not is_here), tell)
    parts = engine.map_items(maker, [part for parts in tasks for part in parts])
    failures = [Failure(video_id, CHANGED) for video_id in changed]
    for video, made in zip(todo, _joined(parts, tasks), strict=True):
        if made.failure:
            failures.append(Failure(video.video_id, made.failure))
        else:
            batch.add(video.video_id, made.record() | {"key": plan.keys[video.video_id]})
        meter.finish(video)
    failed = {failure.item for failure in failures}
    ids = sorted(video.video_id for video in plan.todo if video.video_id not in failed)
    return Extracted([VideoFrames.from_record(batch.finished[video_id]) for video_id in ids], failures, batch)


def fold(
    project: Project,
    settings: ExtractFramesSettings,
    plan: ExtractionPlan,
    extracted: Extracted,
    commit: Commit,
    *,
    force: bool,
) -> ExtractFramesResult:
    """Put the frames into the table in place of those of an earlier run of the same videos.

    Raises:
        CheckError: frames with voted faces would be removed, and `force` was not given; nothing has changed then.
    """
    made = extracted.videos
    ids = {video.video_id for video in made}
    new = [frame for video in made for frame in video.frames]
    rows, new_ids = project.rows(Frame), {frame.frame_id for frame in new}
    vanished = [frame for frame in rows if frame.video_id in ids and frame.frame_id not in new_ids]
    lost = voted_on(project, vanished)
    if lost and not force:
        raise refusal(lost)
    kept = [frame for frame in rows if frame.video_id not in ids]
    outputs = [commit.table([*kept, *new], Frame)]
    for path in _stale(project, ids, {frame.path for frame in new}):
        commit.delete(path)
    extracted.batch.commit_to(commit)
    if commit.count_files(project.root / "frames"):
        outputs.append("frames")
    num_frames = Counter(frame.video_id for frame in new)
    done = {video_id: item_key(plan.keys[video_id], num_frames[video_id]) for video_id in sorted(ids)}
    commit.items = plan.old_items | done
    warnings = [f"'{video.video_id}': {text}" for video in made for text in video.warnings]
    warnings += [f"no frame of '{video.video_id}' was kept" for video in made if not video.frames]
    warnings += (
        [f"{counted(len(lost), 'face that has', 'faces that have')} votes lost the frame: {some_of(lost)}"]
        if lost
        else []
    )
    return ExtractFramesResult(
        num_videos=len(made),
        num_frames=len(new),
        num_removed=len(vanished),
        num_decoded=sum(video.num_decoded for video in made),
        dropped=dict(sorted(sum((Counter(video.dropped) for video in made), Counter()).items())),
        num_unchanged=plan.num_unchanged,
        num_frames_in_project=len(kept) + len(new),
        outputs=tuple(outputs),
        warnings=(*plan.warnings, *warnings),
        failures=tuple(extracted.failures),
        next_command="fer align" if kept or new else "",
    )


def _joined(results: Iterator[VideoFrames], tasks: Sequence[Sequence[VideoTask]]) -> Iterator[VideoFrames]:
    for parts in tasks:
        yield join_parts(list(islice(results, len(parts))))
    # At its end the engine lets go of what it holds.
    assert next(results, None) is None


def _parts(video: Video, settings: ExtractFramesSettings) -> list[VideoTask]:
    """The whole video, or on a cluster parts of it, where no frame's fate depends on those before."""
    whole = VideoTask(video.video_id, video.path, settings.start_s, settings.end_s, video.stream)
    is_divisible = settings.method == "every" and settings.dedup is None and settings.limit is None
    end_s = settings.end_s or video.duration_s
    if settings.engine == "local" or not is_divisible or end_s is None:
        return [whole]
    parts = split_time(settings.start_s, settings.end_s, end_s, part_length(_PART_S, settings.every_s))
    return [replace(whole, start_s=begin, end_s=end) for begin, end in parts]


@dataclass(frozen=True)
class _Maker:
    """`make_worker` with its plan, picklable."""

    plan: ExtractPlan
    tell: Tell | None

    def __call__(self) -> Any:  # the worker; see `make_worker`
        return make_worker(self.plan, self.tell)


def _is_finished(plan: ExtractionPlan, video_id: str, batch: Batch) -> bool:
    frames = batch.finished.get(video_id, {}).get("frames", ())
    return batch.is_finished(video_id, plan.keys[video_id], [frame["path"] for frame in frames if frame["path"]])


def _stale(project: Project, video_ids: Iterable[str], named: set[str]) -> Iterator[Path]:
    """Files of these videos that no row names any more; a killed run of an older version may have left some."""
    for video_id in sorted(video_ids):
        folder = project.inside(f"frames/{video_id}", "videos.csv")
        yield from (path for path in sorted(folder.glob("f[0-9]*.jpg")) if project.relative(path) not in named)
