"""Give each face of an evaluation its group, column by column, and count what detection found and dropped."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fercli.core.groups import FACE_COLUMNS
from fercli.core.project import Project
from fercli.core.rows import Attribute, Face, Label, Prediction, Video
from fercli.core.runs import Run
from fercli.core.tables import read_table
from fercli.data.crops import CropFiles
from fercli.vision.quality import yaw_share

# Numbers with more different values than this are put into thirds.
_MOST_VALUES = 6
_THIRDS = {2: ("low", "high"), 3: ("low", "middle", "high")}
_SIZES_PX = (20, 40, 80, 160)


@dataclass(frozen=True)
class Column:
    """A column: the group of each face, None where it is not known, and the groups in their order."""

    name: str
    meaning: str
    group_of: Sequence[str | None]
    order: tuple[str, ...]
    is_binned: bool = False


def column_of(project: Project, run: Run, name: str, rows: Sequence[Prediction]) -> Column:
    """The groups of predictions by one column.

    Args:
        project: whose faces they are.
        run: whose predictions; its own labels tell how far annotators agreed.
        name: a built-in column, or one that a user attached.
        rows: the predictions.
    """
    if name == "video":
        return _by_words(name, "video", [row.video_id or None for row in rows])
    if name == "session":
        session_of = {video.video_id: video.session for video in project.rows(Video)}
        return _by_words(name, "session of the video", [session_of.get(row.video_id) or None for row in rows])
    if name == "subject":
        return _by_words(name, "subject", [row.subject_id or None for row in rows])
    if name in FACE_COLUMNS:
        numbers = _MEASURES[name](project, run, rows)
        return _by_numbers(name, FACE_COLUMNS[name], numbers)
    return _attached(project, name, rows)


def detections_of(project: Project, wanted: Iterable[str]) -> list[dict[str, object]]:
    """How many faces were found, kept and dropped for which reason, by video and by size, as far as asked for."""
    faces = [face for face in project.rows(Face) if face.status in ("ok", "dropped") and face.width is not None]
    found: list[dict[str, object]] = []
    for column in ("video", "face-size"):
        if column not in wanted or not faces:
            continue
        groups: dict[str, list[Face]] = {}
        for face in faces:
            groups.setdefault(face.video_id if column == "video" else _size_words(face), []).append(face)
        order = sorted(groups) if column == "video" else [name for name in _size_names() if name in groups]
        for name in order:
            reasons = Counter(face.reason or "no reason noted" for face in groups[name] if face.status == "dropped")
            num_found, num_dropped = len(groups[name]), reasons.total()
            found.append(
                {
                    "column": column, "group": name, "num_found": num_found, "num_kept": num_found - num_dropped,
                    "num_dropped": num_dropped, "reasons": dict(reasons.most_common()),
                }
            )  # fmt: skip
    return found


def _size_names() -> list[str]:
    middle = [f"{low} to {high - 1} px" for low, high in pairwise(_SIZES_PX)]
    return [f"under {_SIZES_PX[0]} px", *middle, f"{_SIZES_PX[-1]} px or more"]


def _size_words(face: Face) -> str:
    return _size_names()[int(np.searchsorted(_SIZES_PX, _size(face), side="right"))]


def _size(face: Face) -> float:
    return float(max(face.width or 0.0, face.height or 0.0))


def _by_words(name: str, meaning: str, words: Sequence[str | None]) -> Column:
    return Column(name, meaning, words, tuple(sorted({word for word in words if word is not None})))


def _attached(project: Project, name: str, rows: Sequence[Prediction]) -> Column:
    """A column that a user attached: to subjects, to videos, or to both, where the subject's value comes first."""
    attributes = [row for row in project.rows(Attribute) if row.column == name]
    of_subject = {row.item: row.value for row in attributes if row.of == "subject"}
    of_video = {row.item: row.value for row in attributes if row.of == "video"}
    words = [of_subject.get(row.subject_id) or of_video.get(row.video_id) for row in rows]
    meaning = " and ".join(["subjects"] * bool(of_subject) + ["videos"] * bool(of_video))
    meaning = f"attached to {meaning} by a table"
    numbers = [_number(word) for word in words]
    values = {number for number in numbers if number is not None}
    are_numbers = all((number is None) == (word is None) for number, word in zip(numbers, words, strict=True))
    if are_numbers and values:
        return _by_numbers(name, meaning, numbers)
    return _by_words(name, meaning, words)


def _number(word: str | None) -> float | None:
    try:
        number = float(word.replace(",", ".")) if word else None
    except ValueError:
        return None
    return number if number is not None and np.isfinite(number) else None


def _by_numbers(name: str, meaning: str, numbers: Sequence[float | None]) -> Column:
    """Each number a group where they are few; else thirds with as many faces each, as far as equal numbers allow."""
    known = np.array([number for number in numbers if number is not None], np.float64)
    values = np.unique(known)
    if len(values) <= _MOST_VALUES:
        names = {float(value): f"{value:.4g}" for value in values}
        order = tuple(dict.fromkeys(names.values()))
        return Column(name, meaning, [None if one is None else names[float(one)] for one in numbers], order)
    edges = np.unique(np.quantile(known, [1 / 3, 2 / 3]))
    places = np.searchsorted(edges, known, side="left")
    used = sorted(set(places.tolist()))
    words = _THIRDS.get(len(used), ("all",))
    label_of = {
        place: f"{word} ({known[places == place].min():.3g} to {known[places == place].max():.3g})"
        for place, word in zip(used, words, strict=True)
    }
    left = iter(places.tolist())
    group_of = [None if number is None else label_of[next(left)] for number in numbers]
    return Column(name, meaning, group_of, tuple(label_of.values()), is_binned=True)


def _faces_of(project: Project, rows: Sequence[Prediction]) -> list[Face | None]:
    wanted = {row.face_id for row in rows}
    found = {face.face_id: face for face in project.rows(Face) if face.face_id in wanted}
    return [found.get(row.face_id) for row in rows]


def _sizes(project: Project, _: Run, rows: Sequence[Prediction]) -> list[float | None]:
    faces = _faces_of(project, rows)
    return [None if face is None or face.width is None or face.height is None else _size(face) for face in faces]


def _blurs(project: Project, _: Run, rows: Sequence[Prediction]) -> list[float | None]:
    return [None if face is None else face.blur for face in _faces_of(project, rows)]


def _yaws(project: Project, _: Run, rows: Sequence[Prediction]) -> list[float | None]:
    points = [None if face is None else face.landmarks for face in _faces_of(project, rows)]
    return [None if one is None else abs(yaw_share(np.array(one, np.float64))) for one in points]


def _brightnesses(project: Project, _: Run, rows: Sequence[Prediction]) -> list[float | None]:
    files = CropFiles(project.root)
    faces = _faces_of(project, rows)
    return [None if face is None or not face.path else float(files.read(face.path).mean()) for face in faces]


def _agreements(project: Project, run: Run, rows: Sequence[Prediction]) -> list[float | None]:
    own = run.folder / "labels.csv"
    labels = read_table(own, Label) if own.exists() else project.rows(Label)
    of_face: Mapping[str, float | None] = {label.face_id: label.agreement for label in labels if label.num_votes}
    return [of_face.get(row.face_id) for row in rows]


_MEASURES: dict[str, Callable[[Project, Run, Sequence[Prediction]], list[float | None]]] = {
    "face-size": _sizes,
    "blur": _blurs,
    "yaw": _yaws,
    "brightness": _brightnesses,
    "agreement": _agreements,
}
