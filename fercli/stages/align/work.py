"""The work of `fer align`: detect, cut out and merge with the faces of the last run."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fercli.core.batch import Batch
from fercli.core.commit import Commit
from fercli.core.digests import MISSING
from fercli.core.files import sha256_of
from fercli.core.processors import count_processors
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.engine.choose import choose_engine
from fercli.engine.local import LOCAL, Engine
from fercli.stages.align import AlignResult, AlignSettings
from fercli.stages.align.drawing import draw_frames
from fercli.stages.align.merge import MergedFaces, merge_faces
from fercli.stages.align.pictures import PictureTask
from fercli.stages.align.plan import AlignPlan, has_own_crop, plan, whole_chunks
from fercli.stages.align.result import summarise
from fercli.stages.align.rules import settings_rules
from fercli.stages.align.voted import refusal, voted_of
from fercli.stages.align.worker import Record, WorkerPlan, look_for_faces, make_worker
from fercli.vision.mtcnn.runtime import choose_device

# Pictures that another process does at a time; what a killed run has to do again.
_READ_IN_PART, _DECODED_IN_PART = 8, 64
__all__ = ["fold", "plan", "run"]


@dataclass(frozen=True)
class Found:
    """What the search has found, and on which device, or devices where an interrupted search went on elsewhere."""

    records: dict[str, Record]
    device: str
    batch: Batch


def look(project: Project, settings: AlignSettings, plan: AlignPlan, *, progress: Progress) -> AlignResult:
    """Draw the faces of the last run on frames.

    Raises:
        MissingStageError: there was none.
    """
    return draw_frames(project, settings, plan, progress=progress)


def run(
    project: Project,
    settings: AlignSettings,
    plan: AlignPlan,
    *,
    progress: Progress,
    batch: Batch,
    engine: Engine = LOCAL,
) -> Found:
    """Find the faces of the pictures that are to do, and cut them out into the batch's room.

    Args:
        project: has frames, or faces that came as crops.
        settings: how to find, keep and cut.
        plan: the pictures to look at.
        progress: told of each picture.
        batch: holds what an interrupted run has finished.
        engine: where to work; the default uses `settings.workers` processes here.
    """
    progress.start("detecting faces", len(plan.todo))
    todo = [task for task in plan.todo if not _is_finished(plan, task.item, batch)]
    todo = whole_chunks(todo, plan.todo)
    progress.advance(len(plan.todo) - len(todo))
    if todo:
        worker_plan = _worker_plan(project, settings, batch.room)
        for task, record in zip(todo, _records(worker_plan, todo, settings, engine), strict=True):
            batch.add(task.item, record | {"key": plan.keys[task.item], "device": worker_plan.device})
            progress.advance(1, faces=str(len(record.get("faces", ()))))
    records = {task.item: batch.finished[task.item] for task in plan.todo}
    devices = sorted({str(record["device"]) for record in records.values() if "device" in record})
    return Found(records, ", ".join(devices), batch)


def fold(
    project: Project, settings: AlignSettings, plan: AlignPlan, found: Found, commit: Commit, *, force: bool
) -> AlignResult:
    """Put the faces into the table; those of an earlier run keep their ids (boxes that overlap by one half or more).

    Raises:
        CheckError: faces that have votes would vanish, and `force` was not given; nothing has changed then.
    """
    # As they are now: who is who may have been decided meanwhile.
    plan = replace(plan, faces=tuple(project.rows(Face)))
    merged = merge_faces(plan, found.records)
    lost = voted_of(project, merged.vanished)
    if lost and not force:
        raise refusal(lost)
    outputs = [commit.table(merged.rows, Face)]
    for path in _stale(project, plan, merged):
        commit.delete(project.inside(path, "faces.csv"))
    commit.reads = plan.reads | _crop_digests(plan, merged, found.batch)
    found.batch.commit_to(commit)
    if commit.count_files(project.root / "faces"):
        outputs.append("faces")
    result = summarise(plan, merged, found.records, lost=lost, device=found.device, outputs=tuple(outputs))
    commit.items = plan.done | {task.item: plan.keys[task.item] for task in plan.todo}
    for failure in result.failures:
        commit.items.pop(failure.item, None)
    said = [sentence.replace("will be", "were") for sentence in plan.warnings]
    return replace(result, warnings=(*result.warnings, *said))


def _records(
    plan: WorkerPlan, todo: Sequence[PictureTask], settings: AlignSettings, engine: Engine
) -> Iterator[Record]:
    if engine is LOCAL and settings.engine == "local" and settings.workers == 1:
        return look_for_faces(plan, todo)
    if engine is LOCAL:
        engine = choose_engine(
            settings.engine, address=settings.address, workers=settings.workers, device=settings.device
        )
    parts = engine.map_items(_Maker(plan), _parts(todo))
    return (record for part in parts for record in part)


def _parts(todo: Sequence[PictureTask]) -> list[tuple[PictureTask, ...]]:
    """Runs of pictures of one video; longer ones of frames to decode, as each begins with a look for its place."""
    parts: list[list[PictureTask]] = []
    for task in todo:
        last = parts[-1] if parts else None
        most = _DECODED_IN_PART if task.place else _READ_IN_PART
        is_same_chunk = bool(last and task.chunk and last[-1].chunk == task.chunk)
        if (
            last
            and (is_same_chunk or len(last) < most)
            and (last[0].video_id, last[0].place is None) == (task.video_id, not task.place)
        ):
            last.append(task)
        else:
            parts.append([task])
    return [tuple(part) for part in parts]


@dataclass(frozen=True)
class _Maker:
    """`make_worker` with its plan, picklable."""

    plan: WorkerPlan

    def __call__(self) -> Any:  # the worker; see `make_worker`
        return make_worker(self.plan)


def _worker_plan(project: Project, settings: AlignSettings, room: Path) -> WorkerPlan:
    # Several processes share the processor's cores; one uses them all.
    num_threads = max(1, count_processors() // settings.workers) if settings.workers > 1 else None
    if settings.engine == "ray":
        num_threads = 1  # what a task on a cluster has
    device = choose_device(settings.device, mode=settings.mode, is_shared=settings.engine == "ray")
    return WorkerPlan(project.root, room, settings_rules(settings), settings.mode == "exact", device, num_threads)


def _is_finished(plan: AlignPlan, item: str, batch: Batch) -> bool:
    record = batch.finished.get(item, {})
    paths = [face["path"] for face in record.get("faces", ()) if face["path"]]
    return "failure" not in record and batch.is_finished(item, plan.keys[item], paths)


def _crop_digests(plan: AlignPlan, merged: MergedFaces, batch: Batch) -> dict[str, str]:
    """The crops that the table names, those of this run where they wait, with their digests."""
    paths = [face.path for face in merged.rows if has_own_crop(face)]
    new = {path: sha256_of(batch.room / path) for path in paths if (batch.room / path).exists()}
    return {path: new.get(path) or plan.crop_reads.get(path, MISSING) for path in paths}


def _stale(project: Project, plan: AlignPlan, merged: MergedFaces) -> set[str]:
    """The crops of the pictures that were done again which no row names any more."""
    named = {face.path for face in merged.rows}
    old = {face.path for face in plan.faces if face.path.startswith("faces/") and "#" not in face.path}
    redone = {task.item for task in plan.todo} & plan.frames.keys()
    stale = (old | _crops_there(project, redone)) - named
    return {path for path in stale if project.inside(path, "faces.csv").exists()}


def _crops_there(project: Project, frame_ids: Iterable[str]) -> set[str]:
    """The crops of these frames that lie there; a run that was killed may have left some that no row names."""
    frame_ids = set(frame_ids)
    folders = {f"faces/{frame_id}".rpartition("/")[0] for frame_id in frame_ids}
    paths = (f"{folder}/{path.name}" for folder in folders for path in project.inside(folder).glob("*-*.png"))
    return {path for path in paths if path.removeprefix("faces/").rpartition("-")[0] in frame_ids}
