"""`fer extract-frames`: videos to keyframes, chosen by a rule, each with its index and time."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from fercli.core.errors import CheckError, UsageError
from fercli.core.files import count_files, storage_error
from fercli.core.journal import ItemJournal
from fercli.core.memory import fingerprint, recall, remember, reopen
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import Failure, StageResult
from fercli.core.rows import Face, Frame, Video, Vote
from fercli.engine.choose import choose_engine
from fercli.engine.local import LOCAL, Engine
from fercli.engine.parts import part_length, split_time
from fercli.stages.extract_frames.meter import FrameMeter, num_frames_of
from fercli.stages.extract_frames.plan import (
    STAGE,
    ExtractFramesSettings,
    ExtractionPlan,
    item_key,
    plan_extraction,
    rule_key,
    some_of,
)
from fercli.stages.extract_frames.worker import ExtractPlan, Tell, VideoFrames, VideoTask, join_parts, make_worker

# The part of a long video that a task on a cluster does.
_PART_S = 600.0
__all__ = ["ExtractFramesResult", "ExtractFramesSettings", "extract_frames"]


@dataclass(frozen=True, kw_only=True)
class ExtractFramesResult(StageResult):
    """What was kept.

    Attributes:
        num_videos: videos that frames were taken from now.
        num_frames: frames that were kept now.
        num_removed: frames of an earlier run with other settings that were removed.
        num_decoded: frames that were decoded to choose from.
        dropped: chosen frames that a filter dropped, by its reason.
        num_unchanged: videos whose frames were there already.
        num_frames_in_project: all frames, those of pictures included.
    """

    num_videos: int = 0
    num_frames: int = 0
    num_removed: int = 0
    num_decoded: int = 0
    dropped: dict[str, int]
    num_unchanged: int = 0
    num_frames_in_project: int = 0


def extract_frames(
    project: Project,
    settings: ExtractFramesSettings,
    videos: Sequence[str] = (),
    *,
    progress: Progress = SILENT,
    engine: Engine = LOCAL,
    force: bool = False,
    dry_run: bool = False,
) -> ExtractFramesResult:
    """Keep frames of all videos that have none by these settings.

    Frames of a video that were kept by other settings are replaced. A video that cannot be read does not stop the
    others; a damaged one gives its whole frames, the same in every run.

    Args:
        project: has videos.
        settings: which frames to keep.
        videos: ids, or file names, of the videos to work on; all by default.
        progress: told of each video, counted in its frames.
        engine: where to work; the default uses `settings.workers` processes here.
        force: do all videos again, and let frames go whose faces have votes.
        dry_run: only say what would be done.

    Raises:
        MissingStageError: there are no videos.
        InputError: a video named is not in the project.
        CheckError: frames with voted faces would vanish, and `force` was not given; nothing has changed then.
    """
    if settings.end_s is not None and settings.end_s <= settings.start_s:
        problem = f"'--end {settings.end_s:g}s' is not after '--start {settings.start_s:g}s'"
        raise UsageError(problem, hint="Give a later --end.")
    project.require(Video)
    mark = _mark(project, settings, videos)
    known = recall(project.root, STAGE, mark, ExtractFramesResult)
    if known and not known.failures and not force:
        return known
    plan = plan_extraction(project, settings, videos, force=force)
    if dry_run:
        return ExtractFramesResult(
            is_dry_run=True,
            dropped={},
            num_unchanged=plan.num_unchanged,
            plan=tuple(plan.lines),
            warnings=plan.warnings,
        )
    with project.writing():
        with ItemJournal(project.root, STAGE, rule_key(settings)) as journal:
            failures = _work(project, settings, plan, journal, progress=progress, engine=engine)
            result = _fold(project, plan, journal, failures, force=force)
        # The files were counted before; now there are others.
        mark = _mark(project, settings, videos)
        remember(project.root, STAGE, mark, settings, result=result, items=_items(plan, journal))
    return result


def _mark(project: Project, settings: ExtractFramesSettings, videos: Sequence[str]) -> str:
    """One name for what the result depends on and for how many files there are, so that lost ones are missed."""
    lasting = replace(settings, workers=1, engine="local", address="")
    num_files = count_files(project.root / "frames")
    return fingerprint(lasting, [project.table_path(Video), project.table_path(Frame)], [*sorted(videos), num_files])


def _work(
    project: Project,
    settings: ExtractFramesSettings,
    plan: ExtractionPlan,
    journal: ItemJournal,
    *,
    progress: Progress,
    engine: Engine,
) -> list[Failure]:
    """Extract what the journal does not hold yet; files wait aside until the table names them."""
    room = _waiting_room(project.root)
    if not journal.finished:
        shutil.rmtree(room, ignore_errors=True)
    todo = [video for video in plan.todo if not _is_finished(project, plan, journal, video.video_id)]
    meter = FrameMeter(progress, sum(map(num_frames_of, plan.todo)))
    meter.skip(sum(num_frames_of(video) for video in plan.todo if video not in todo))
    is_here = engine is LOCAL and settings.engine == "local" and settings.workers == 1
    # Another process, or another machine, cannot tell how far it is before it is done.
    tell = meter.reach if is_here else None
    if engine is LOCAL:
        engine = choose_engine(settings.engine, address=settings.address, workers=settings.workers)
    tasks = [_parts(video, settings) for video in todo]
    maker = _Maker(ExtractPlan(project.root, room, settings, not is_here), tell)
    parts = engine.map_items(maker, [part for parts in tasks for part in parts])
    failures = []
    for video, made in zip(todo, _joined(parts, tasks), strict=True):
        if made.failure:
            failures.append(Failure(video.video_id, made.failure))
        else:
            journal.add(video.video_id, made.record() | {"key": plan.keys[video.video_id]})
        meter.finish(video)
    return failures


def _joined(results: Iterator[VideoFrames], tasks: Sequence[Sequence[VideoTask]]) -> Iterator[VideoFrames]:
    for parts in tasks:
        yield join_parts(list(islice(results, len(parts))))
    # At its end the engine lets go of what it holds.
    assert next(results, None) is None


def _parts(video: Video, settings: ExtractFramesSettings) -> list[VideoTask]:
    """The whole video, or on a cluster parts of it, where no frame's fate depends on those before."""
    whole = VideoTask(video.video_id, video.path, settings.start_s, settings.end_s)
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


def _waiting_room(root: Path) -> Path:
    """Where frames wait for the table that names them, so that a refused or killed run leaves the old ones whole."""
    return root / ".fer" / "running" / STAGE


def _is_finished(project: Project, plan: ExtractionPlan, journal: ItemJournal, video_id: str) -> bool:
    record = journal.finished.get(video_id)
    if record is None or record["key"] != plan.keys[video_id]:
        return False
    paths = [frame["path"] for frame in record["frames"] if frame["path"]]
    return all((_waiting_room(project.root) / path).exists() or (project.root / path).exists() for path in paths)


def _fold(
    project: Project, plan: ExtractionPlan, journal: ItemJournal, failures: Sequence[Failure], *, force: bool
) -> ExtractFramesResult:
    """Turn the journal into the table, unless frames with voted faces would be lost."""
    ids = {video.video_id for video in plan.todo} & set(journal.finished)
    made = [VideoFrames.from_record(journal.finished[video_id]) for video_id in sorted(ids)]
    new = [frame for video in made for frame in video.frames]
    rows = project.rows(Frame)
    new_ids = {frame.frame_id for frame in new}
    vanished = [frame for frame in rows if frame.video_id in ids and frame.frame_id not in new_ids]
    lost = _voted(project, vanished)
    if lost and not force:
        raise CheckError(
            f"frames of {len(lost)} faces that have votes would vanish with these settings: {some_of(lost)}",
            hint="Nothing was changed. Keep to the last settings, or let them go with --force (their votes stay).",
        )
    kept = [frame for frame in rows if frame.video_id not in ids]
    # As they lie there: a run that was killed may have left files that no row names.
    there = {project.relative(path) for video_id in ids for path in _folder(project, video_id).glob("f[0-9]*.jpg")}
    reopen(project.root, STAGE, {item: key for item, key in plan.old_items.items() if item not in ids})
    outputs = _commit(project, kept, new, there - {frame.path for frame in new})
    journal.discard()
    warnings = [f"'{video.video_id}': {text}" for video in made for text in video.warnings]
    warnings += [f"no frame of '{video.video_id}' was kept" for video in made if not video.frames]
    warnings += [f"{len(lost)} faces that have votes lost their frame: {some_of(lost)}"] if lost else []
    return ExtractFramesResult(
        num_videos=len(made),
        num_frames=len(new),
        num_removed=len(vanished),
        num_decoded=sum(video.num_decoded for video in made),
        dropped=dict(sorted(sum((Counter(video.dropped) for video in made), Counter()).items())),
        num_unchanged=plan.num_unchanged,
        num_frames_in_project=len(kept) + len(new),
        outputs=outputs,
        warnings=(*plan.warnings, *warnings),
        failures=tuple(failures),
        next_command="fer align",
    )


def _folder(project: Project, video_id: str) -> Path:
    return project.root / "frames" / video_id


def _voted(project: Project, frames: Sequence[Frame]) -> list[str]:
    """Faces with votes that lie on `frames`."""
    if not frames:
        return []
    ids = {frame.frame_id for frame in frames}
    voted = {vote.face_id for vote in project.rows(Vote)}
    return sorted(face.face_id for face in project.rows(Face) if face.frame_id in ids and face.face_id in voted)


def _commit(project: Project, kept: Sequence[Frame], new: Sequence[Frame], stale: Iterable[str]) -> tuple[str, ...]:
    """Put the files where they belong, replace the table, and take away what no row names any more."""
    room = _waiting_room(project.root)
    try:
        for frame in (frame for frame in new if frame.path):
            waiting, place = room / frame.path, project.root / frame.path
            if waiting.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                waiting.replace(place)
        outputs = [project.write_rows([*kept, *new], Frame)]
        for path in stale:
            (project.root / path).unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, project.root / "frames") from error
    shutil.rmtree(room, ignore_errors=True)
    return (*outputs, *(["frames"] if (project.root / "frames").exists() else []))


def _items(plan: ExtractionPlan, journal: ItemJournal) -> dict[str, str]:
    done = {video.video_id for video in plan.todo} & set(journal.finished)
    num_frames = {video_id: len(journal.finished[video_id]["frames"]) for video_id in done}
    return plan.old_items | {video_id: item_key(plan.keys[video_id], num_frames[video_id]) for video_id in done}
