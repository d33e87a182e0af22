"""Draw the boxes that `fer align` found on their frames, kept or dropped and why, to see what was missed."""

from collections import Counter
from collections.abc import Collection, Sequence

from fercli.core.errors import MediaError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Video
from fercli.core.words import counted
from fercli.stages.align import AlignResult, AlignSettings
from fercli.stages.align.pictures import Pictures
from fercli.stages.align.plan import AlignPlan, frame_tasks
from fercli.vision.annotate import COLORS, Mark, draw_marks
from fercli.vision.images import jpeg_bytes

_FOLDER = "reports/align"
# Without --limit: so many show what is missed, and are looked through in a minute.
_MOST_FRAMES = 60
_KEPT, _DROPPED, _GONE = COLORS[2], COLORS[5], COLORS[6]


def draw_frames(project: Project, settings: AlignSettings, plan: AlignPlan, *, progress: Progress) -> AlignResult:
    """Draw frames, evenly over all of them, with the faces of the last run.

    Raises:
        MissingStageError: `fer align` has not been run.
    """
    faces = project.required_rows(Face)
    in_frame: dict[str, list[Face]] = {}
    for face in faces:
        in_frame.setdefault(face.frame_id, []).append(face)
    frames = list(plan.frames.values())
    number = min(settings.limit or _MOST_FRAMES, len(frames))
    chosen = [frames[place * len(frames) // number] for place in range(number)]
    videos = {video.video_id: video for video in project.rows(Video)}
    tasks = frame_tasks(chosen, faces, videos)
    pictures = Pictures(project.root, tasks)
    failures: list[Failure] = []
    outputs: list[str] = []
    progress.start("drawing frames", len(tasks))
    with project.commit() as commit:
        for task in tasks:
            try:
                image = pictures.read(task)
            except MediaError as error:
                failures.append(Failure(task.item, error.message))
                continue
            drawn = draw_marks(image, [_mark(face) for face in in_frame.get(task.item, []) if face.left is not None])
            path = project.root / _FOLDER / f"{task.item.replace('/', '__')}.jpg"
            outputs.append(commit.data(path, jpeg_bytes(drawn)))
            progress.advance()
        for path in (project.root / _FOLDER).glob("*.jpg"):
            if project.relative(path) not in outputs:
                commit.delete(path)
    unseen = {frame.frame_id for frame in frames} - plan.done.keys() - in_frame.keys()
    return _result(in_frame, [task.item for task in tasks], len(frames), unseen, failures=failures)


def _result(
    in_frame: dict[str, list[Face]],
    drawn: Sequence[str],
    num_frames: int,
    unseen: Collection[str],
    *,
    failures: Sequence[Failure],
) -> AlignResult:
    shown = [face for item in drawn for face in in_frame.get(item, [])]
    said = []
    if len(drawn) < num_frames:
        said.append(f"{len(drawn):,} of {counted(num_frames, 'frame is', 'frames are')} drawn; more: --limit N.")
    if unseen:
        frames = counted(num_frames, "frame")
        said.append(f"Faces were not searched for yet in {len(unseen):,} of {frames}; search with: fer align")
    return AlignResult(
        num_frames=num_frames,
        num_frames_done=len(drawn) - len(failures),
        num_frames_without_faces=sum(
            item not in unseen and not any(face.is_usable for face in in_frame.get(item, [])) for item in drawn
        ),
        num_faces=sum(face.status == "ok" for face in shown),
        dropped=dict(Counter(face.reason for face in shown if face.status == "dropped")),
        num_gone=sum(face.status == "gone" for face in shown),
        outputs=(_FOLDER,),
        warnings=tuple(said),
        failures=tuple(failures),
    )


def _mark(face: Face) -> Mark:
    """Kept faces with their number and confidence, others with the reason."""
    name = face.face_id.rpartition("-")[2]
    sure = "" if face.confidence is None else f" {face.confidence:.2f}"
    color = {"dropped": _DROPPED, "gone": _GONE}.get(face.status, _KEPT)
    why = f" {face.reason or face.status}" if face.status in ("dropped", "gone") else ""
    return Mark(face.left or 0.0, face.top or 0.0, face.width or 0.0, face.height or 0.0, f"{name}{sure}{why}", color)
