"""What the demo begins with: drawn lessons as videos, with the truth about every face, and votes on them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from fercli.core.files import replace_text
from fercli.core.progress import SILENT, Progress
from fercli.demo.classroom import Classroom, Lesson
from fercli.demo.seats import SEATS
from fercli.demo.votes import cast_votes, draw_annotators, present_face, write_votes
from fercli.engine.local import Engine
from fercli.stages.demo import MATERIAL, Material
from fercli.vision.video.reader import VideoWriter

_SIZE = (1280, 720)


@dataclass(frozen=True, slots=True)
class Truth:
    """One row of demo/truth/<lesson>.csv: what is true about one face in one frame."""

    frame_index: int
    pupil: str
    left: float
    top: float
    width: float
    height: float
    emotion: str
    intensity: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, width, height in pixels of the frame."""
        return (self.left, self.top, self.width, self.height)


def video_path(root: Path, lesson: str) -> Path:
    """Where the video of a lesson is drawn to, before `fer add` takes it into the project."""
    return root / MATERIAL / f"{lesson}.mp4"


def truth_path(root: Path, lesson: str) -> Path:
    """Where the truth about a lesson is written."""
    return root / MATERIAL / "truth" / f"{lesson}.csv"


def draw_lessons(
    root: Path, material: Material, *, engine: Engine, progress: Progress = SILENT
) -> tuple[tuple[str, ...], int]:
    """Draw every lesson that is not there yet.

    Returns:
        The names of all lessons, and how many frames were drawn now.
    """
    names = lesson_names(material)
    missing = [index for index, name in enumerate(names) if not video_path(root, name).exists()]
    progress.start("draw lessons", total=len(missing))
    num_frames = 0
    for drawn in engine.map_items(partial(_make_drawer, root, material), missing):
        num_frames += drawn
        progress.advance()
    return names, num_frames


def lesson_names(material: Material) -> tuple[str, ...]:
    """The lessons of a classroom, without drawing it."""
    return tuple(f"lesson-{index + 1}" for index in range(-(-material.num_subjects // SEATS)))


def read_truth(path: Path) -> dict[int, list[Truth]]:
    """The truth about a lesson by frame index."""
    frames: dict[int, list[Truth]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            truth = Truth(
                frame_index=int(row["frame_index"]),
                pupil=row["pupil"],
                left=float(row["left"]),
                top=float(row["top"]),
                width=float(row["width"]),
                height=float(row["height"]),
                emotion=row["emotion"],
                intensity=float(row["intensity"]),
            )
            frames.setdefault(truth.frame_index, []).append(truth)
    return frames


class _Drawer:
    """Draws one lesson after another; the truth is written before the video, so a video is never without it."""

    def __init__(self, root: Path, material: Material) -> None:
        self.root = root
        self.classroom = _classroom(material)

    def __call__(self, index: int) -> int:
        lesson = self.classroom.lessons[index]
        replace_text(truth_path(self.root, lesson.name), _truth_text(lesson))
        with VideoWriter(video_path(self.root, lesson.name), lesson.size, lesson.fps) as video:
            for frame in lesson.frames():
                video.write(frame)
        return lesson.num_frames


def _make_drawer(root: Path, material: Material) -> _Drawer:
    return _Drawer(root, material)


def _classroom(material: Material) -> Classroom:
    return Classroom(
        seed=material.seed,
        num_subjects=material.num_subjects,
        seconds=material.seconds,
        fps=material.fps,
        size=_SIZE,
    )


def _truth_text(lesson: Lesson) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.name for column in fields(Truth))
    for index in range(lesson.num_frames):
        for face in lesson.truth(index):
            box = [f"{value:.2f}" for value in face.box]
            writer.writerow([index, face.pupil, *box, face.emotion, f"{face.intensity:.3f}"])
    return text.getvalue()


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A face that align cut out, with the truth about it."""

    face_id: str
    path: str
    truth: Truth


def write_annotations(root: Path, faces: Sequence[SeenFace], material: Material) -> tuple[Path, ...]:
    """Let drawn annotators judge the faces, and write their votes to demo/votes/ in up to three formats."""
    judged = [
        present_face(face.face_id, face.path, face.truth.emotion, face.truth.intensity, seed=material.seed)
        for face in sorted(faces, key=lambda face: face.face_id)
    ]
    annotators = draw_annotators(material.num_annotators, material.seed)
    votes = [cast_votes(annotator, judged, material.seed) for annotator in annotators]
    return write_votes(root / MATERIAL / "votes", votes)
