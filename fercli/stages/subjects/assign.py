"""Do the work of `fer subjects assign`: assign subjects from a table of faces, tracks, subjects or videos."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fercli.core.commit import Commit
from fercli.core.csvtext import reading_csv
from fercli.core.errors import InputError, UsageError
from fercli.core.files import slug
from fercli.core.people import subject_sources
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Attribute, Face, Frame
from fercli.core.settings import list_words
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.labels.formats.csv import ITEM_WORDS
from fercli.labels.formats.textfile import find_encoding
from fercli.labels.matching import FaceIndex
from fercli.stages.subjects import SubjectsResult
from fercli.stages.subjects.columns import (
    ColumnTable,
    header_of,
    read_column_table,
    unknown_items,
    with_values,
    words_on,
    words_on_left,
)
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
    attached: ColumnTable | None = None
    left: tuple[str, ...] = ()


def plan(project: Project, settings: None, table: Path, columns: str, *, force: bool, progress: Progress) -> AssignPlan:
    """Read the table: a column of items, and `subject` (person, pupil, name); `columns` go to subjects or videos.

    The items are ids (`face_id`, `track_id`, `subject_id`, `video_id`), or files: those that were added or our crops.

    Raises:
        InputError: it cannot be read, lacks a column, says two things of one face, or two names become one id.
        UsageError: one of `columns` is none of the table's, or has a name that is taken.
    """
    project.require(Face)
    wanted = _listed_columns(columns)
    attached = read_column_table(table, wanted) if wanted else None
    names = header_of(table)[0]
    column, named = ("", {}) if attached and not _names_people(names) else read_assignments(table)
    lines = [f"assign {counted(len(named), 'value')} of {column} to subjects"] if named else []
    if attached:
        num_items = len({item for item, _ in attached.values})
        lines.append(f"attach {', '.join(wanted)} to {counted(num_items, attached.of)}")
    left = tuple(name for name in names if name and name not in (*wanted, *_ITEM_COLUMNS, *_PERSON_COLUMNS))
    made = AssignPlan(lines=lines, column=column, named=named, table=table.name, attached=attached, left=left)
    faces, sources, unknown = _assigned(project, made)
    rows = project.rows(Attribute)
    if with_values(rows, _attached_rows(made, unknown)) != rows:
        return made
    said = _said(project, made, faces, table)
    return replace(made, known=held_already(project, faces, sources, warnings=said, failures=unknown))


def run(project: Project, settings: None, plan: AssignPlan, commit: Commit, *, progress: Progress) -> SubjectsResult:
    """Give the faces their subjects."""
    faces, sources, unknown = _assigned(project, plan)
    put_names(project, commit, sorted(set(plan.named.values())))
    words, given = f"subjects assign {plan.table}", _attached_rows(plan, unknown)
    warnings = [*together(faces), *_said(project, plan, faces, Path(plan.table))]
    return put_subjects(project, commit, faces, sources, words=words, warnings=warnings, failures=unknown, given=given)


def _listed_columns(text: str) -> list[str]:
    try:
        return list(dict.fromkeys(list_words(text)))
    except ValueError as error:
        raise UsageError(
            f"--columns {text}: a quotation mark is not closed", hint="--columns glasses,camera"
        ) from error


def _names_people(columns: Sequence[str]) -> bool:
    """Whether a table of columns says who is who, too, and not only what is known of subjects or videos."""
    has_person = any(name in columns for name in _PERSON_COLUMNS)
    others = [name for name in _ITEM_COLUMNS if name in columns]
    return bool(others) and (has_person or ("subject_id" in columns and others != ["subject_id"]))


def _attached_rows(plan: AssignPlan, unknown: Sequence[Failure]) -> list[Attribute]:
    """What the table says of subjects or videos that there are."""
    strange = {failure.item for failure in unknown}
    return [row for row in plan.attached.rows() if row.item not in strange] if plan.attached else []


def _said(project: Project, plan: AssignPlan, faces: Sequence[Face], table: Path) -> list[str]:
    said = words_on_left(table, plan.left)
    if plan.attached:
        attributes = with_values(project.rows(Attribute), plan.attached.rows())
        said = [*words_on(attributes, plan.attached, faces), *said]
    return said


def _assigned(project: Project, plan: AssignPlan) -> tuple[list[Face], dict[str, str], list[Failure]]:
    """The faces with their subjects, where each subject comes from, and what no face has."""
    faces, column = project.required_rows(Face), plan.column
    unknown: list[Failure] = []
    wanted: dict[str, str] = {}
    if column in _ID_COLUMNS:
        wanted = {face.face_id: plan.named[key] for face in faces if (key := getattr(face, column)) in plan.named}
        known = {getattr(face, column) for face in faces}
        unknown = [Failure(key, f"no face has this {column}") for key in sorted(set(plan.named) - known)]
    elif column:
        wanted, unknown = _by_file(FaceIndex(faces, project.rows(Frame)), plan.named)
    faces = [replace(face, subject_id=wanted.get(face.face_id, face.subject_id)) for face in faces]
    if plan.attached:
        unknown += unknown_items(project, faces, plan.attached)
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
