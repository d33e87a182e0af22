"""`fer align`: frames to faces, found, kept or dropped for a reason, and cut out upright."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fercli.core.errors import CheckError
from fercli.core.files import storage_error
from fercli.core.journal import ItemJournal
from fercli.core.memory import recall, remember, reopen
from fercli.core.processors import count_processors
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Vote
from fercli.engine.choose import choose_engine
from fercli.engine.local import LOCAL, Engine
from fercli.stages.align.merge import MergedFaces, merge_faces
from fercli.stages.align.pictures import PictureTask
from fercli.stages.align.plan import AlignPlan, AlignSettings, align_mark, plan_align, whole_chunks
from fercli.stages.align.result import MOST_NAMED, AlignResult, summarise, summarise_plan
from fercli.stages.align.worker import Record, WorkerPlan, look_for_faces, make_worker

# Pictures that another process does at a time; what a killed run has to do again.
_READ_IN_PART, _DECODED_IN_PART = 8, 64
__all__ = ["AlignResult", "AlignSettings", "align"]


def align(
    project: Project,
    settings: AlignSettings,
    *,
    progress: Progress = SILENT,
    engine: Engine = LOCAL,
    force: bool = False,
    dry_run: bool = False,
) -> AlignResult:
    """Find the faces of all frames that are new, and cut them out.

    Faces of an earlier run keep their ids (boxes that overlap by one half or more), numbers are never used twice.

    Args:
        project: has frames, or faces that came as crops.
        settings: how to find, keep and cut.
        progress: told of each picture.
        engine: where to work; the default uses `settings.workers` processes here.
        force: do all pictures again, and let faces vanish that have votes.
        dry_run: only say what would be done.

    Raises:
        MissingStageError: there are no frames and no given crops.
        CheckError: faces that have votes would vanish, and `force` was not given; nothing has changed then.
    """
    mark = align_mark(project, settings)
    known = recall(project.root, "align", mark, AlignResult)
    if known and not known.failures and not force:
        return replace(known, warnings=(*known.warnings, *_kept_for(settings, known.device)))
    if dry_run:
        return summarise_plan(plan_align(project, settings, force=force))
    with project.writing():
        plan = plan_align(project, settings, force=force)
        with ItemJournal(project.root, "align", plan.settings_mark) as journal:
            device = _find_faces(project, settings, plan, journal, progress=progress, engine=engine)
            result = _fold(project, plan, journal, force=force, device=device)
        items = plan.done | {task.item: plan.keys[task.item] for task in plan.todo}
        for failure in result.failures:
            items.pop(failure.item, None)
        # The crops were counted before; now there are others.
        mark = align_mark(project, settings)
        remember(project.root, "align", mark, settings, result=result, items=items)
    return result


def _kept_for(settings: AlignSettings, device: str) -> Iterator[str]:
    """A sentence where another device is asked for than the one that found the faces; a wrong name is refused."""
    if settings.device in ("auto", device, device.partition(":")[0]) or not device:
        return
    # Loads torch, which a call with nothing to do else need not.
    from fercli.vision.mtcnn.runtime import choose_device

    asked = choose_device(settings.device, mode=settings.mode)
    if asked != device:
        yield f"The faces were found on {device} and stay; --force finds them anew on {asked}."


def _fold(project: Project, plan: AlignPlan, journal: ItemJournal, *, force: bool, device: str) -> AlignResult:
    """Turn the journal into the table, unless faces with votes would be lost."""
    records = {task.item: journal.finished[task.item] for task in plan.todo}
    merged = merge_faces(plan, records)
    lost = _voted(project, merged.vanished)
    if lost and not force:
        raise _refusal(lost)
    outputs = _commit(project, plan, merged)
    journal.discard()
    return summarise(plan, merged, records, lost=lost, device=device, outputs=outputs)


def _find_faces(
    project: Project,
    settings: AlignSettings,
    plan: AlignPlan,
    journal: ItemJournal,
    *,
    progress: Progress,
    engine: Engine,
) -> str:
    """Work on what the journal does not hold yet; the device that was used, empty when there was nothing to do."""
    progress.start("align", len(plan.todo))
    if not journal.finished:
        # What waits there was cut under other settings.
        shutil.rmtree(_waiting_room(project.root), ignore_errors=True)
    finished = journal.finished
    todo = [task for task in plan.todo if not _is_finished(project.root, plan, task.item, finished.get(task.item))]
    todo = whole_chunks(todo, plan.todo)
    progress.advance(len(plan.todo) - len(todo))
    if not todo:
        return ""
    worker_plan = _worker_plan(project, settings)
    for task, record in zip(todo, _records(worker_plan, todo, settings, engine), strict=True):
        journal.add(task.item, record | {"key": plan.keys[task.item]})
        progress.advance(1, faces=str(len(record.get("faces", ()))))
    return worker_plan.device


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


def _worker_plan(project: Project, settings: AlignSettings) -> WorkerPlan:
    from fercli.vision.cutting import CuttingRules
    from fercli.vision.mtcnn.runtime import choose_device

    rules = CuttingRules(
        min_confidence=settings.min_confidence,
        min_face_px=settings.min_face,
        max_faces=settings.max_faces,
        size=settings.size,
        margin=settings.margin,
        template=settings.template,
        max_roll_deg=settings.max_roll,
        max_yaw=settings.max_yaw,
        max_blur=settings.max_blur,
    )
    # Several processes share the processor's cores; one uses them all.
    num_threads = max(1, count_processors() // settings.workers) if settings.workers > 1 else None
    if settings.engine == "ray":
        num_threads = 1  # what a task on a cluster has
    device = choose_device(settings.device, mode=settings.mode, is_shared=settings.engine == "ray")
    return WorkerPlan(project.root, _waiting_room(project.root), rules, settings.mode == "exact", device, num_threads)


def _waiting_room(root: Path) -> Path:
    """Where crops wait for the table that names them, so that a refused or killed run leaves the old ones whole."""
    return root / ".fer" / "running" / "align"


def _is_finished(root: Path, plan: AlignPlan, item: str, record: Record | None) -> bool:
    if record is None or "failure" in record or record["key"] != plan.keys[item]:
        return False
    paths = [face["path"] for face in record["faces"] if face["path"]]
    return all((_waiting_room(root) / path).exists() or (root / path).exists() for path in paths)


def _voted(project: Project, faces: Iterable[Face]) -> list[str]:
    faces = list(faces)
    voted = {vote.face_id for vote in project.rows(Vote)} if faces else set()
    return sorted(face.face_id for face in faces if face.face_id in voted)


def _refusal(lost: list[str]) -> CheckError:
    named = ", ".join(lost[:MOST_NAMED]) + (", ..." if len(lost) > MOST_NAMED else "")
    return CheckError(
        f"with these settings faces that have votes would vanish ({len(lost)}): {named}",
        hint="Nothing was changed. Keep to the last settings, or let them go with --force (their votes stay).",
    )


def _commit(project: Project, plan: AlignPlan, merged: MergedFaces) -> tuple[str, ...]:
    """Put the crops where they belong, replace the table, and take away what no row names any more."""
    redone = {task.item for task in plan.todo}
    reopen(project.root, "align", {item: key for item, key in plan.done.items() if item not in redone})
    room = _waiting_room(project.root)
    for face in merged.rows:
        waiting = room / face.path if face.path else None
        if waiting and waiting.exists():
            _move(waiting, project.root / face.path)
    outputs = [project.write_rows(merged.rows, Face)]
    named = {face.path for face in merged.rows}
    old = {face.path for face in plan.faces if face.path.startswith("faces/")}
    for path in (old | _crops_there(project.root, redone & plan.frames.keys())) - named:
        (project.root / path).unlink(missing_ok=True)
    shutil.rmtree(room, ignore_errors=True)
    if (project.root / "faces").exists():
        outputs.append("faces")
    return tuple(outputs)


def _crops_there(root: Path, frame_ids: Iterable[str]) -> set[str]:
    """The crops of these frames that lie there; a run that was killed may have left some that no row names."""
    frame_ids = set(frame_ids)
    folders = {f"faces/{frame_id}".rpartition("/")[0] for frame_id in frame_ids}
    paths = (f"{folder}/{path.name}" for folder in folders for path in (root / folder).glob("*-*.png"))
    return {path for path in paths if path.removeprefix("faces/").rpartition("-")[0] in frame_ids}


def _move(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    except OSError as error:
        raise storage_error(error, target) from error
