"""Each stage of the demo beside the truth that the drawing knows."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fercli.core.project import Project
from fercli.core.rows import Face, Frame, Label, Prediction
from fercli.metrics.evaluation import evaluate
from fercli.stages.demo.material import SeenFace, Truth, read_truth, truth_path

_SAME_FACE = 0.5


@dataclass(frozen=True)
class Found:
    """What align found beside what is there: pairs, and how many of each."""

    seen: tuple[SeenFace, ...]
    num_true: int
    num_faces: int

    @property
    def recall(self) -> float:
        """The share of the true faces that were found."""
        return len(self.seen) / self.num_true if self.num_true else 0.0

    @property
    def precision(self) -> float:
        """The share of what was found that is a face."""
        return len(self.seen) / self.num_faces if self.num_faces else 0.0


def compare_faces(project: Project, lessons: Sequence[str]) -> Found:
    """Match the faces of the project's frames with the true ones, one to one, boxes that overlap by half or more."""
    truths = {lesson: read_truth(truth_path(project.root, lesson)) for lesson in lessons}
    by_frame: dict[str, list[Face]] = {}
    for face in project.rows(Face):
        if face.status == "ok":
            by_frame.setdefault(face.frame_id, []).append(face)
    seen: list[SeenFace] = []
    num_true = 0
    for frame in project.rows(Frame):
        there = truths.get(frame.video_id, {}).get(frame.frame_index, [])
        num_true += len(there)
        seen += match_faces(by_frame.get(frame.frame_id, []), there)
    return Found(tuple(seen), num_true, sum(len(faces) for faces in by_frame.values()))


def match_faces(faces: Sequence[Face], truths: Sequence[Truth]) -> list[SeenFace]:
    """Pair faces and truths of one frame, the largest overlap first."""
    overlaps = [
        (-overlap(_box(face), truth.box), place, other)
        for place, face in enumerate(faces)
        for other, truth in enumerate(truths)
    ]
    pairs: dict[int, int] = {}
    for minus_share, place, other in sorted(overlaps):
        if -minus_share >= _SAME_FACE and place not in pairs and other not in pairs.values():
            pairs[place] = other
    return [SeenFace(faces[place].face_id, faces[place].path, truths[other]) for place, other in sorted(pairs.items())]


def _box(face: Face) -> tuple[float, float, float, float]:
    return (face.left or 0.0, face.top or 0.0, face.width or 0.0, face.height or 0.0)


def overlap(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes (left, top, width, height)."""
    across = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    down = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    return shared / (first[2] * first[3] + second[2] * second[3] - shared)


def subject_purity(faces: Iterable[Face], seen: Sequence[SeenFace]) -> float:
    """Share of the seen faces whose subject is, most of the time, the pupil that they show."""
    pupils = {face.face_id: face.truth.pupil for face in seen}
    by_subject: dict[str, Counter[str]] = {}
    for face in faces:
        if face.face_id in pupils and face.subject_id:
            by_subject.setdefault(face.subject_id, Counter())[pupils[face.face_id]] += 1
    return sum(max(counts.values()) for counts in by_subject.values()) / len(pupils) if pupils else 0.0


def vote_accuracy(labels: Iterable[Label], seen: Sequence[SeenFace]) -> float:
    """Share of the labels that the votes agreed on which are true."""
    emotions = {face.face_id: face.truth.emotion for face in seen}
    right = [label.label == emotions[label.face_id] for label in labels if label.label and label.face_id in emotions]
    return sum(right) / len(right) if right else 0.0


@dataclass(frozen=True)
class ModelFigures:
    """A model against the truth on held-out subjects; `low` and `high` are None where `reason` says why."""

    accuracy: float
    low: float | None
    high: float | None
    majority_rate: float
    num_faces: int
    num_subjects: int
    reason: str


def judge_model(
    predictions: Sequence[Prediction], seen: Sequence[SeenFace], classes: tuple[str, ...], *, seed: int
) -> ModelFigures:
    """Score predictions against the true emotions instead of the voted labels; subjects are resampled."""
    emotions = {face.face_id: face.truth.emotion for face in seen}
    rows = [replace(row, label=emotions[row.face_id]) for row in predictions if row.face_id in emotions]
    judged = evaluate(rows, classes, seed=seed)
    accuracy = judged.intervals["accuracy"]
    return ModelFigures(
        accuracy=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        majority_rate=judged.majority_class[1],
        num_faces=len(rows),
        num_subjects=accuracy.num_units,
        reason=accuracy.reason,
    )
