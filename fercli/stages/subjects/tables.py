"""Faces with their subjects to what the project keeps of them: two tables and a contact sheet to look at."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fercli.core.errors import InputError, MediaError
from fercli.core.project import Project
from fercli.core.results import Failure, StageResult
from fercli.core.rows import Face, Subject
from fercli.core.settings import suggestion

if TYPE_CHECKING:
    import numpy as np

USABLE = ("ok", "given")
# What a person has decided is never overruled by tracking.
DECIDED = ("csv", "manual", "given")
_FACES_A_ROW, _ROWS_A_SHEET = 10, 100


@dataclass(frozen=True, kw_only=True)
class SubjectsResult(StageResult):
    """Who is who now.

    Attributes:
        num_subjects: people told apart.
        num_faces: faces that have a subject.
        num_faces_without_subject: faces that have none, because they come from pictures without time.
        num_tracks: tracks that the subjects are made of.
        num_changed: faces whose subject this call changed.
    """

    num_subjects: int = 0
    num_faces: int = 0
    num_faces_without_subject: int = 0
    num_tracks: int = 0
    num_changed: int = 0


def subject_sources(project: Project) -> dict[str, str]:
    """Where each subject of the project comes from; a crop that came with its subject is `given`."""
    known = {subject.subject_id: subject.source for subject in project.rows(Subject)}
    for face in project.rows(Face):
        if face.subject_id:
            known.setdefault(face.subject_id, "given" if face.status == "given" else "tracks")
    return known


def known_subject(subject_id: str, sources: Mapping[str, str]) -> str:
    """`subject_id`, when it is one.

    Raises:
        InputError: the project has no such subject.
    """
    if subject_id not in sources:
        hint = suggestion(subject_id, sorted(sources)) if sources else "Run: fer subjects track"
        raise InputError(f"no subject '{subject_id}' in this project", hint=hint)
    return subject_id


def write_subjects(
    project: Project,
    faces: Sequence[Face],
    sources: Mapping[str, str],
    *,
    warnings: Iterable[str] = (),
    failures: Iterable[Failure] = (),
) -> SubjectsResult:
    """Write faces.csv, subjects.csv and reports/subjects.png, and count."""
    before = {face.face_id: face.subject_id for face in project.rows(Face)}
    of_subject: dict[str, list[Face]] = defaultdict(list)
    for face in sorted(faces, key=lambda face: face.face_id):
        if face.subject_id and face.status in USABLE:
            of_subject[face.subject_id].append(face)
    subjects = [_subject_row(name, of_subject[name], sources.get(name, "tracks")) for name in sorted(of_subject)]
    outputs = [project.write_rows(faces, Face), project.write_rows(subjects, Subject)]
    sheets, damaged = _write_sheets(project, subjects, of_subject)
    num_changed = sum(before[face.face_id] != face.subject_id for face in faces)
    usable = [face for face in faces if face.status in USABLE]
    return SubjectsResult(
        num_subjects=len(subjects),
        num_faces=sum(bool(face.subject_id) for face in usable),
        num_faces_without_subject=sum(not face.subject_id for face in usable),
        num_tracks=len({face.track_id for face in usable if face.track_id}),
        num_changed=num_changed,
        outputs=(*outputs, *sheets),
        warnings=(*warnings, *_split_warning(project, num_changed)),
        failures=(*failures, *damaged),
    )


def _subject_row(subject_id: str, faces: list[Face], source: str) -> Subject:
    tracks = {face.track_id for face in faces if face.track_id}
    videos = " ".join(sorted({face.video_id for face in faces}))
    return Subject(subject_id, source, len(faces), len(tracks), videos, faces[0].face_id)


def _split_warning(project: Project, num_changed: int) -> tuple[str, ...]:
    if not num_changed or not any(project.split_path("x").parent.glob("*.csv")):
        return ()
    return ("Subjects changed after a split was made; make it again, so that no subject is on two sides: fer split",)


def _write_sheets(
    project: Project, subjects: Sequence[Subject], faces: Mapping[str, list[Face]]
) -> tuple[list[str], list[Failure]]:
    from fercli.vision.images import write_png
    from fercli.vision.sheets import SheetRow, contact_sheet

    failures: list[Failure] = []
    outputs = []
    for page, start in enumerate(range(0, len(subjects), _ROWS_A_SHEET)):
        rows = [
            SheetRow(subject.subject_id, _note(subject), _pictures(project, faces[subject.subject_id], failures))
            for subject in subjects[start : start + _ROWS_A_SHEET]
        ]
        path = project.root / "reports" / (f"subjects-{page + 1}.png" if page else "subjects.png")
        write_png(path, contact_sheet(rows, num_columns=_FACES_A_ROW))
        outputs.append(project.relative(path))
    # Sheets of before, when there were more subjects, would show faces that are shown elsewhere by now.
    for path in (project.root / "reports").glob("subjects-[0-9]*.png"):
        if project.relative(path) not in outputs:
            path.unlink()
    return outputs, failures


def _note(subject: Subject) -> str:
    videos = subject.videos.split()
    where = videos[0] if len(videos) == 1 else f"{len(videos)} videos"
    return f"{subject.num_faces} faces, {where}"


def _pictures(project: Project, faces: list[Face], failures: list[Failure]) -> "list[np.ndarray]":
    """Some of a subject's crops, evenly over all of them; rows of packed files are not opened for this."""
    from fercli.vision.images import read_image

    paths = [face.path for face in faces if face.path and "#" not in face.path]
    chosen = [paths[place * len(paths) // _FACES_A_ROW] for place in range(_FACES_A_ROW)] if paths else []
    pictures = []
    for path in dict.fromkeys(chosen):
        try:
            pictures.append(read_image(project.root / path))
        except MediaError as error:
            failures.append(Failure(path, error.message))
    return pictures
