"""Do the work of `fer subjects assign`: assign subjects from a table of faces, tracks, subjects or videos."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from fercli.core.commit import Commit
from fercli.core.csvtext import reading_csv
from fercli.core.errors import InputError
from fercli.core.files import slug
from fercli.core.people import subject_sources
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Frame
from fercli.core.stage import Plan
from fercli.labels.formats.csv import ITEM_WORDS
from fercli.labels.formats.textfile import find_encoding
from fercli.labels.matching import FaceIndex
from fercli.stages.subjects import SubjectsResult
from fercli.stages.subjects.names import put_names
from fercli.stages.subjects.tables import held_already, put_subjects, together

_ID_COLUMNS = ("face_id", "track_id", "subject_id", "video_id")
_ITEM_COLUMNS = (*_ID_COLUMNS, *(word for word in ITEM_WORDS if word != "face_id"), "file")
_PERSON_COLUMNS = ("subject", "person", "pupil", "name")


@dataclass(frozen=True, kw_only=True)
class AssignPlan(Plan):
    """The column of items that the table has, and the subject of each of them."""

    column: str
    named: dict[str, str]
    table: str


def plan(project: Project, settings: None, table: Path, *, force: bool, progress: Progress) -> AssignPlan:
    """Read the table: a column of items, and `subject` (person, pupil, name).

    The items are ids (`face_id`, `track_id`, `subject_id`, `video_id`), or files: those that were added or our crops.

    Raises:
        InputError: it cannot be read, lacks a column, says two things of one face, or two names become one id.
    """
    project.require(Face)
    column, named = read_assignments(table)
    line = f"assign {len(named):,} values of {column} to subjects"
    made = AssignPlan(lines=(line,), column=column, named=named, table=table.name)
    faces, sources, unknown = _assigned(project, made)
    return replace(made, known=held_already(project, faces, sources, failures=unknown))


def run(project: Project, settings: None, plan: AssignPlan, commit: Commit, *, progress: Progress) -> SubjectsResult:
    """Give the faces their subjects."""
    faces, sources, unknown = _assigned(project, plan)
    put_names(project, commit, sorted(set(plan.named.values())))
    words = f"subjects assign {plan.table}"
    return put_subjects(project, commit, faces, sources, words=words, warnings=together(faces), failures=unknown)


def _assigned(project: Project, plan: AssignPlan) -> tuple[list[Face], dict[str, str], list[Failure]]:
    """The faces with their subjects, where each subject comes from, and what no face has."""
    faces, column = project.required_rows(Face), plan.column
    if column in _ID_COLUMNS:
        wanted = {face.face_id: plan.named[key] for face in faces if (key := getattr(face, column)) in plan.named}
        known = {getattr(face, column) for face in faces}
        unknown = [Failure(key, f"no face has this {column}") for key in sorted(set(plan.named) - known)]
    else:
        wanted, unknown = _by_file(FaceIndex(faces, project.rows(Frame)), plan.named)
    faces = [replace(face, subject_id=wanted.get(face.face_id, face.subject_id)) for face in faces]
    return faces, subject_sources(project) | dict.fromkeys(plan.named.values(), "csv"), unknown


def _by_file(index: FaceIndex, named: dict[str, str]) -> tuple[dict[str, str], list[Failure]]:
    """The subject of each face whose file is named, and the files that are no face or may be several.

    Raises:
        InputError: two files of one face have different subjects.
    """
    wanted: dict[str, str] = {}
    unknown = []
    for item, name in named.items():
        face_id = index.find(item)
        if face_id is None:
            unknown.append(Failure(item, index.why_not(item)))
        elif wanted.setdefault(face_id, name) != name:
            hint = "Keep one of the two lines."
            raise InputError(
                f"'{item}' is face {face_id}, which is given to '{wanted[face_id]}' and '{name}'", hint=hint
            )
    return wanted, unknown


@dataclass(frozen=True)
class _Header:
    item: str
    person: str
    delimiter: str


def read_assignments(table: Path) -> tuple[str, dict[str, str]]:
    """The column of items that the table has and, for each of its items, the id of the subject.

    Args:
        table: CSV with commas, semicolons or tabs; rows without an item or a subject are left out.

    Raises:
        InputError: the table cannot be read, lacks a column, says two things of one item, or two names become one id.
    """
    named: dict[str, str] = {}
    spelled: dict[str, str] = {}
    with table.open(encoding=find_encoding(table).name, newline="") as file, reading_csv(table):
        header = _header(table, file.readline())
        file.seek(0)
        reader = csv.DictReader(file, delimiter=header.delimiter, skipinitialspace=True)
        reader.fieldnames = [_column(name) for name in reader.fieldnames or ()]
        for row in reader:
            item, person = (row.get(header.item) or "").strip(), (row.get(header.person) or "").strip()
            if not item or not person:
                continue
            name = slug(person)
            if spelled.setdefault(name, person) != person:
                raise InputError(
                    f"{table}: '{spelled[name]}' and '{person}' would both be subject '{name}'",
                    hint="Give them names that differ in letters or digits.",
                )
            if named.setdefault(item, name) != name:
                raise InputError(f"{table}: '{item}' is given to '{named[item]}' and to '{name}'", hint="Keep one row.")
    if not named:
        raise InputError(f"{table}: no row names a subject", hint=f"Fill the column '{header.person}'.")
    return header.item, named


def _header(table: Path, line: str) -> _Header:
    delimiter = max(",;\t", key=line.count)
    columns = [_column(name) for name in line.rstrip("\r\n").split(delimiter)]
    item = next((name for name in _ITEM_COLUMNS if name in columns), None)
    person = next((name for name in _PERSON_COLUMNS if name in columns), None)
    if person is None and "subject_id" in columns:
        person = "subject_id"
        item = next((name for name in _ITEM_COLUMNS if name in columns and name != person), None)
    if item is None or person is None:
        raise InputError(
            f"{table}: the columns are {', '.join(columns)}",
            hint="It needs face_id, track_id, subject_id, video_id or path, and subject.",
        )
    return _Header(item, person, delimiter)


def _column(name: str) -> str:
    return name.strip().lstrip("\ufeff").strip('"').strip()
