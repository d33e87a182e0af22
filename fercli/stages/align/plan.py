"""Plan `fer align`: find the images that are new or have to be done again, and the faces already known in each."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fercli.core.digests import MISSING
from fercli.core.errors import InputError, TableError
from fercli.core.memory import StageState, changed_settings, read_state
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Frame, Video
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.stages.align import AlignSettings, settings_mark
from fercli.stages.align.pictures import FramePlace, PictureTask
from fercli.stages.align.rules import settings_rules
from fercli.stages.align.voted import refusal, sure_to_go, voted_of

# What the reason of a row begins with that was cut anew from a crop that was given.
REALIGNED = "realigned from "
# Who comes or moves in this time is not looked up but searched for.
_LONGEST_GAP_S = 3.0


@dataclass(frozen=True, kw_only=True)
class AlignPlan(Plan):
    """What is to be done.

    Attributes:
        keys: each picture that counts, with the mark of its settings and content.
        done: what earlier runs have done, with the key of then.
        todo: the pictures whose key is another now.
        frames: all frames of the project by id.
        faces: the rows of the last run.
        changes: settings that differ from the last run's, "size: 112 -> 224".
        num_given: faces that came as crops.
        reads: the files of the pictures, with their digests.
        crop_reads: the crops that there are, with the digests that they had when they were cut out, where known.
    """

    keys: dict[str, str]
    done: dict[str, str]
    todo: tuple[PictureTask, ...]
    frames: dict[str, Frame]
    faces: tuple[Face, ...]
    changes: tuple[str, ...]
    num_given: int
    reads: dict[str, str]
    crop_reads: dict[str, str]


def plan(project: Project, settings: AlignSettings, *, force: bool, progress: Progress = SILENT) -> AlignPlan:
    """Compare the project's pictures with what the last run has done.

    Raises:
        MissingStageError: there are no frames, and no given crops either.
        CheckError: faces that have votes would be lost for sure, and `force` was not given.
    """
    faces = project.rows(Face)
    given = [face for face in faces if face.status == "given" and face.path]
    frames = project.rows(Frame) if given else project.required_rows(Frame)
    state = read_state(project.root, "align") if faces else None
    mark = settings_mark(settings)
    videos = {video.video_id: video for video in project.rows(Video)}
    tasks = frame_tasks(frames[: settings.limit], faces, videos)
    if settings.tracking:
        tasks = _in_chunks(tasks, settings.track_every, {frame.frame_id for frame in frames if frame.method == "scene"})
    if settings.realign:
        tasks += [PictureTask(face.face_id, face.video_id, original_path(face), given=face) for face in given]
    keys = _keys(project, mark, tasks)
    known_reads = state.reads if state else {}
    reads = project.digests({_file_of(task) for task in tasks})
    crops = [face for face in faces if has_own_crop(face)]
    crop_reads = project.digests((face.path for face in crops), "faces.csv")
    changed = {path for path, digest in (reads | crop_reads).items() if known_reads.get(path, digest) != digest}
    changed |= {path for path, digest in crop_reads.items() if digest == MISSING}
    lost = {face.frame_id or face.face_id for face in crops if face.path in changed}
    lost |= {task.item for task in tasks if _file_of(task) in changed}
    done = {item: key for item, key in state.items.items() if item not in lost} if state else {}
    todo = [task for task in tasks if force or done.get(task.item) != keys[task.item]]
    todo = whole_chunks(todo, tasks)
    _check_videos(project, {task.video_id for task in todo if task.place}, videos)
    frame_ids = {frame.frame_id: frame for frame in frames}
    changes = _changes(state, settings, mark)
    going = sure_to_go(faces, settings_rules(settings), kept=frame_ids.keys(), todo={task.item for task in todo})
    if not force and (voted := voted_of(project, going)):
        raise refusal(voted)
    return AlignPlan(
        lines=_lines(todo, len(frames), changes),
        warnings=_changed_warnings(changed, reads),
        counts={"num_frames": sum(item in frame_ids for item in keys), "num_given": len(given)},
        keys=keys,
        done=done,
        todo=tuple(todo),
        frames=frame_ids,
        faces=tuple(faces),
        changes=changes,
        num_given=len(given),
        reads=reads,
        crop_reads=crop_reads | known_reads,
    )


def _check_videos(project: Project, names: Collection[str], videos: Mapping[str, Video]) -> None:
    """Refuse frames that are decoded from a video of other bytes than when they were chosen."""
    if changed := project.places.changed_videos(videos[name] for name in sorted(names)):
        raise InputError(
            f"video '{changed[0]}' has changed since it was added, and its frames are not saved",
            hint="Restore its file, or add the new version under another name.",
        )


def _lines(todo: Sequence[PictureTask], num_frames: int, changes: Sequence[str]) -> list[str]:
    num_todo = sum(task.given is None for task in todo)
    lines = [f"detect faces in {num_todo:,} of {counted(num_frames, 'frame')}"] if num_frames else []
    if len(todo) > num_todo:
        lines.append(f"align {counted(len(todo) - num_todo, 'given crop')}")
    if changes:
        lines.append(f"process them again because settings changed: {', '.join(changes)}")
    return lines


def _changed_warnings(changed: Collection[str], reads: Collection[str]) -> tuple[str, ...]:
    """Sentences on files that are not as the last run left them: who edited a crop loses that."""
    num_inputs = len(set(changed) & set(reads))
    num_crops = len(changed) - num_inputs
    sentences = []
    if num_inputs:
        sentences.append(f"{counted(num_inputs, 'image')} changed since the last run and will be processed again.")
    if num_crops:
        sentences.append(
            f"{counted(num_crops, 'crop')} changed or went missing since the last run and will be restored."
        )
    return tuple(sentences)


def whole_chunks(some: Iterable[PictureTask], tasks: Iterable[PictureTask]) -> list[PictureTask]:
    """`some` of `tasks`, and those that are done together with them, in order."""
    some = list(some)
    items, chunks = {task.item for task in some}, {task.chunk for task in some if task.chunk}
    return [task for task in tasks if task.item in items or task.chunk in chunks]


def original_path(face: Face) -> str:
    """Where a given crop lay before it was realigned."""
    return face.reason.removeprefix(REALIGNED) if is_realigned(face) else face.path


def is_realigned(face: Face) -> bool:
    """Whether a given crop has been set upright; its row then tells where it came from."""
    return face.status == "given" and face.reason.startswith(REALIGNED)


def has_own_crop(face: Face) -> bool:
    """Whether its crop is a file that `fer align` may have written."""
    return face.path.startswith("faces/") and "#" not in face.path


def _file_of(task: PictureTask) -> str:
    return task.place.video if task.place else task.path.partition("#")[0]


def frame_tasks(frames: Iterable[Frame], faces: Iterable[Face], videos: Mapping[str, Video]) -> list[PictureTask]:
    """What is to be looked at in each frame, and what an earlier run found there."""
    known = defaultdict(list)
    for face in faces:
        if face.frame_id:
            known[face.frame_id].append(face)
    return [
        PictureTask(
            frame.frame_id,
            frame.video_id,
            frame.path,
            frame.time_s,
            tuple((_number(face), _box(face)) for face in known[frame.frame_id]),
            max((_number(face) + 1 for face in known[frame.frame_id]), default=0),
            place=None if frame.path else _place(frame, videos),
        )
        # By index, for as text the frame after f999999 comes before it.
        for frame in sorted(frames, key=lambda frame: (frame.video_id, frame.frame_index))
    ]


def _in_chunks(tasks: Sequence[PictureTask], size: int, cuts: Collection[str]) -> list[PictureTask]:
    """The tasks with their chunks: up to `size` frames of one video, none a new shot or long after the one before.

    Pictures without time follow nothing.
    """
    in_chunks: list[PictureTask] = []
    num_before, head, before = 0, "", None
    for task in tasks:
        follows = before is not None and before.video_id == task.video_id and task.item not in cuts
        gap_s = (task.time_s or 0.0) - (before.time_s or 0.0) if before else 0.0
        if not follows or num_before == size or gap_s > _LONGEST_GAP_S:
            num_before, head = 0, task.item
        num_before, before = num_before + 1, task
        in_chunks.append(replace(task, chunk="" if task.time_s is None else head))
    return in_chunks


def _place(frame: Frame, videos: Mapping[str, Video]) -> FramePlace:
    video = videos.get(frame.video_id)
    if video is None:
        problem = f"frame '{frame.frame_id}' has no file, and its video '{frame.video_id}' is not in the project"
        raise TableError(problem, hint="Add the video, then run: fer extract-frames")
    return FramePlace(video.path, frame.frame_index, frame.time_s or 0.0, video.stream)


def _number(face: Face) -> int:
    return int(face.face_id.rpartition("-")[2])


def _box(face: Face) -> tuple[float, float, float, float]:
    return (face.left or 0.0, face.top or 0.0, face.width or 0.0, face.height or 0.0)


def _keys(project: Project, mark: str, tasks: Iterable[PictureTask]) -> dict[str, str]:
    """Of each picture its settings and content, and the frames of its chunk before it: it is done again with them."""
    keys, before = {}, ""
    for task in tasks:
        keys[task.item] = f"{mark}-{_content_mark(project, task)}"
        if task.chunk:
            before = before + task.item if task.chunk != task.item else task.item
            keys[task.item] += f"-{hashlib.sha256(before.encode()).hexdigest()[:12]}"
    return keys


def _content_mark(project: Project, task: PictureTask) -> str:
    if task.place:
        project.inside(task.place.video, "videos.csv")
        return f"{task.place.video}@{task.place.index}-{task.time_s}"
    file = project.inside(task.path.partition("#")[0], "faces.csv" if task.given else "frames.csv")
    try:
        size = file.stat().st_size
    except OSError:
        size = -1
    return f"{task.path}-{task.time_s}-{size}"


def _changes(state: StageState | None, settings: AlignSettings, mark: str) -> tuple[str, ...]:
    if state is None or all(key.startswith(mark) for key in state.items.values()):
        return ()
    harmless = ("device:", "workers:", "engine:", "address:", "limit:", "realign:")
    return tuple(change for change in changed_settings(state, settings) if not change.startswith(harmless))
