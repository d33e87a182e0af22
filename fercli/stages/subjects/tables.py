"""Write faces with their subjects: two tables and a contact sheet."""

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fercli.core.commit import Commit
from fercli.core.errors import InputError, UsageError
from fercli.core.people import subject_sources
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Attribute, Face, Label, Subject
from fercli.core.settings import suggestion
from fercli.core.splits import stale_splits
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.data.crops import CropError, CropFiles
from fercli.stages.subjects import SubjectsResult
from fercli.stages.subjects.columns import carried, with_values
from fercli.stages.subjects.history import put_steps, read_steps, step_between
from fercli.vision.images import png_bytes
from fercli.vision.sheets import SheetRow, contact_sheet

_FACES_A_ROW, _ROWS_A_SHEET = 10, 100


class Names:
    """New subject ids, none of which was ever in use."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._last = max((int(name[1:]) for name in taken if re.fullmatch(r"s\d{3,}", name)), default=0)

    def new(self) -> str:
        """The next one."""
        self._last += 1
        return f"s{self._last:03d}"


def known_subject(project: Project, subject_id: str, sources: Mapping[str, str]) -> str:
    """`subject_id`, when it is one.

    Raises:
        InputError: the project has no such subject, or none of this name any more.
    """
    if subject_id in sources:
        return subject_id
    hint = suggestion(subject_id, sorted(sources)) if sources else "Run: fer subjects track"
    for step in read_steps(project):
        heirs = sorted({new for old, new, _ in step.moves if old == subject_id})
        hint = f"It became {' and '.join(heirs)} by: fer {step.words}" if heirs else hint
    raise InputError(f"subject '{subject_id}' not found in this project", hint=hint)


def unless_done(words_of: Callable[..., str]) -> Callable[[Callable[..., Plan]], Callable[..., Plan]]:
    """For the plan of a step by hand: where it cannot be done as the same step was done before, that is the answer."""

    def wrap(plan: Callable[..., Plan]) -> Callable[..., Plan]:
        @functools.wraps(plan)
        def planned(project: Project, settings: None, *arguments: Any, force: bool, progress: Progress) -> Plan:
            try:
                return plan(project, settings, *arguments, force=force, progress=progress)
            except (InputError, UsageError):
                words = words_of(*arguments)
                if all(step.words != words for step in read_steps(project)):
                    raise
                return Plan(known=unchanged(project, "that was done before"))

        return planned

    return wrap


def unchanged(project: Project, done_before: str) -> SubjectsResult:
    """The subjects as they stand, for a step that has nothing to do."""
    faces = project.rows(Face)
    counts = _counts(faces, len(_by_subject(faces)))
    return SubjectsResult(**counts, is_unchanged=True, done_before=done_before)


def put_subjects(
    project: Project,
    commit: Commit,
    faces: Sequence[Face],
    sources: Mapping[str, str],
    *,
    words: str = "",
    warnings: Iterable[str] = (),
    failures: Iterable[Failure] = (),
    given: Iterable[Attribute] = (),
) -> SubjectsResult:
    """Commit faces.csv, subjects.csv, attributes.csv and reports/subjects.png, and count.

    `words` are of a step that can be undone, `given` values of columns that come new.
    """
    old_faces = project.rows(Face)
    before = {face.face_id: face.subject_id for face in old_faces}
    if words:
        old = subject_sources(project, old_faces)
        step = step_between(words, old_faces, faces, old=old, new=sources)
        if step.moves or step.sources:
            put_steps(project, commit, [*read_steps(project), step])
    of_subject = _by_subject(faces)
    subjects = _subject_rows(of_subject, sources)
    outputs = [commit.table(faces, Face), commit.table(subjects, Subject)]
    sheets, damaged = _put_sheets(project, commit, subjects, of_subject)
    known = project.rows(Attribute)
    attributes, lost = carried(known, before, faces)
    attributes = with_values(attributes, given)
    if attributes != known:
        outputs.append(commit.table(attributes, Attribute))
    num_changed = sum(before[face.face_id] != face.subject_id for face in faces)
    return SubjectsResult(
        **_counts(faces, len(subjects)),
        num_changed=num_changed,
        outputs=(*outputs, *sheets),
        warnings=(*warnings, *lost, *stale_splits(project, project.rows(Label), faces)),
        failures=(*failures, *damaged),
    )


def held_already(
    project: Project,
    faces: Sequence[Face],
    sources: Mapping[str, str],
    *,
    warnings: Iterable[str] = (),
    failures: Iterable[Failure] = (),
    done_before: str = "",
) -> SubjectsResult | None:
    """The result where both tables hold these subjects already; None where they do not."""
    subjects = _subject_rows(_by_subject(faces), sources)
    if project.rows(Face) != list(faces) or project.rows(Subject) != subjects:
        return None
    return SubjectsResult(
        **_counts(faces, len(subjects)),
        is_unchanged=True,
        done_before=done_before,
        warnings=(*together(faces), *warnings),
        failures=tuple(failures),
    )


def _counts(faces: Sequence[Face], num_subjects: int) -> dict[str, Any]:  # fields of SubjectsResult
    usable = [face for face in faces if face.is_usable]
    return {
        "num_subjects": num_subjects,
        "num_faces": sum(bool(face.subject_id) for face in usable),
        "num_faces_without_subject": sum(not face.subject_id for face in usable),
        "num_tracks": len({face.track_id for face in usable if face.track_id}),
    }


def _by_subject(faces: Iterable[Face]) -> dict[str, list[Face]]:
    found: dict[str, list[Face]] = defaultdict(list)
    for face in sorted(faces, key=lambda face: face.face_id):
        if face.subject_id and face.is_usable:
            found[face.subject_id].append(face)
    return found


def _subject_rows(faces: Mapping[str, list[Face]], sources: Mapping[str, str]) -> list[Subject]:
    return [_subject_row(name, faces[name], sources.get(name, "tracks")) for name in sorted(faces)]


def _subject_row(subject_id: str, faces: list[Face], source: str) -> Subject:
    tracks = {face.track_id for face in faces if face.track_id}
    videos = " ".join(sorted({face.video_id for face in faces}))
    return Subject(subject_id, source, len(faces), len(tracks), videos, faces[0].face_id)


def _put_sheets(
    project: Project, commit: Commit, subjects: Sequence[Subject], faces: Mapping[str, list[Face]]
) -> tuple[list[str], list[Failure]]:
    failures: list[Failure] = []
    outputs = []
    for page, start in enumerate(range(0, len(subjects), _ROWS_A_SHEET)):
        rows = [
            SheetRow(subject.subject_id, _note(subject), pictures_of(project, faces[subject.subject_id], failures))
            for subject in subjects[start : start + _ROWS_A_SHEET]
        ]
        path = project.root / "reports" / (f"subjects-{page + 1}.png" if page else "subjects.png")
        outputs.append(commit.data(path, png_bytes(contact_sheet(rows, num_columns=_FACES_A_ROW))))
    # Sheets of before, when there were more subjects, would show faces that are shown elsewhere by now.
    for path in (project.root / "reports").glob("subjects-[0-9]*.png"):
        if project.relative(path) not in outputs:
            commit.delete(path)
    return outputs, failures


def _note(subject: Subject) -> str:
    videos = subject.videos.split()
    where = videos[0] if len(videos) == 1 else counted(len(videos), "video")
    return f"{counted(subject.num_faces, 'face')}, {where}"


def pictures_of(
    project: Project, faces: Sequence[Face], failures: list[Failure], number: int = _FACES_A_ROW
) -> list[np.ndarray]:
    """Some of a subject's crops, evenly over all of them; rows of packed files are not opened for this."""
    paths = [face.path for face in faces if face.path and "#" not in face.path]
    chosen = [paths[place * len(paths) // number] for place in range(number)] if paths else []
    pictures, files = [], CropFiles(project.root)
    for path in dict.fromkeys(chosen):
        try:
            pictures.append(files.read_rgb(path))
        except CropError as error:
            failures.append(Failure(path, error.told))
    return pictures


def together(faces: Sequence[Face]) -> list[str]:
    """A sentence on subjects that stand twice in one frame."""
    seen: set[tuple[str, str]] = set()
    doubled: set[str] = set()
    for face in faces:
        place = (face.frame_id, face.subject_id)
        if face.frame_id and face.subject_id and face.is_usable:
            if place in seen:
                doubled.add(face.subject_id)
            seen.add(place)
    return [f"Subjects seen twice in one frame: {listed(sorted(doubled))}. They may be two people."] if doubled else []


def listed(names: Sequence[str], most: int = 8) -> str:
    """The first names, for a sentence."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
