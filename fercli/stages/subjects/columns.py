"""Attach columns of a user's table to subjects or videos (glasses, camera), and keep them with whom they are of."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fercli.core.csvtext import reading_csv
from fercli.core.errors import InputError, UsageError
from fercli.core.files import slug
from fercli.core.groups import ALL_COLUMNS, BUILT_IN_COLUMNS
from fercli.core.names import folded
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Attribute, AttributeOf, Face, Video
from fercli.core.settings import suggestion
from fercli.core.words import counted
from fercli.labels.formats.textfile import find_encoding

_SUBJECT_COLUMNS = ("subject", "person", "pupil", "name", "subject_id")
_MOST_SHOWN = 8


@dataclass(frozen=True)
class ColumnTable:
    """The values of a table: of what, and of each item and column its value."""

    of: AttributeOf
    values: Mapping[tuple[str, str], str]

    def rows(self) -> list[Attribute]:
        """The same as rows of attributes.csv."""
        return [Attribute(self.of, item, column, value) for (item, column), value in sorted(self.values.items())]


def header_of(table: Path) -> tuple[list[str], str]:
    """The columns of a table and what separates them."""
    with table.open(encoding=find_encoding(table).name, newline="") as file, reading_csv(table):
        line = file.readline()
    delimiter = max(",;\t", key=line.count)
    columns = next(csv.reader([line.lstrip("\ufeff")], delimiter=delimiter, skipinitialspace=True), [])
    return [name.strip() for name in columns], delimiter


def read_column_table(table: Path, wanted: Sequence[str]) -> ColumnTable:
    """The values of some columns: of subjects where the table names any, else of videos.

    Raises:
        UsageError: the table lacks a column, or one has the name of a built-in one.
        InputError: it names neither subjects nor videos, says two things of one of them, or has no value.
    """
    columns, delimiter = header_of(table)
    person = next((name for name in _SUBJECT_COLUMNS if name in columns), None)
    item = person or ("video_id" if "video_id" in columns else None)
    if item is None:
        raise InputError(
            f"{table}: the columns are {', '.join(columns)}",
            hint="Columns are attached to subjects or videos: it needs subject, subject_id or video_id.",
        )
    _check_columns(wanted, columns, taken=item)
    values: dict[tuple[str, str], str] = {}
    with table.open(encoding=find_encoding(table).name, newline="") as file, reading_csv(table):
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        next(reader, None)
        for cells in reader:
            row = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
            name = slug(row.get(item, "")) if person and row.get(item) else row.get(item, "")
            for column in wanted:
                value = row.get(column, "")
                if name and value and values.setdefault((name, column), value) != value:
                    raise InputError(
                        f"{table}: {column} of '{name}' is '{values[name, column]}' and '{value}'",
                        hint="A subject or video has one value in a column: correct the other rows.",
                    )
    if not values:
        raise InputError(f"{table}: no value in {', '.join(wanted)}", hint="Fill these columns.")
    return ColumnTable("subject" if person else "video", values)


def unknown_items(project: Project, faces: Iterable[Face], table: ColumnTable) -> list[Failure]:
    """The subjects or videos of the table that the project does not have."""
    if table.of == "subject":
        known = {face.subject_id for face in faces if face.subject_id}
    else:
        known = {video.video_id for video in project.rows(Video)} | {face.video_id for face in faces}
    return [
        Failure(item, f"no face is of this {table.of}")
        for item in sorted({item for item, _ in table.values})
        if item not in known
    ]


def with_values(before: Sequence[Attribute], given: Iterable[Attribute]) -> list[Attribute]:
    """The attributes with those that are given now, which take the place of older values."""
    found = {(row.of, row.item, row.column): row for row in before}
    found |= {(row.of, row.item, row.column): row for row in given}
    return [found[key] for key in sorted(found)]


def carried(
    before: Sequence[Attribute], subject_before: Mapping[str, str], faces: Sequence[Face]
) -> tuple[list[Attribute], list[str]]:
    """The attributes after faces have got other subjects, and what is said of them.

    Those of a subject whose faces are all another's now go over to that one, where it has no value of its own; those
    of a subject that has no face left, and of whom nobody took over, are deleted: a person who is removed takes them
    along.

    Args:
        before: the attributes until now.
        subject_before: of each face.
        faces: with their subjects of now.
    """
    present = {face.subject_id for face in faces if face.subject_id}
    heirs: dict[str, set[str]] = defaultdict(set)
    for face in faces:
        heirs[subject_before.get(face.face_id, "")].add(face.subject_id)
    kept = {(row.of, row.item, row.column): row for row in before if row.of == "video" or row.item in present}
    said, num_gone = [], Counter[str]()
    for row in before:
        if row.of == "video" or row.item in present:
            continue
        others = heirs[row.item] - {""}
        if len(others) != 1:
            num_gone[row.item] += 1
            continue
        (heir,) = others
        own = kept.setdefault(("subject", heir, row.column), Attribute("subject", heir, row.column, row.value))
        if own.value != row.value:
            said.append(
                f"{row.column} of {heir} stays '{own.value}'; the value '{row.value}' of {row.item}, who is the same "
                "subject now, is dropped."
            )
    if num_gone:
        names = ", ".join(list(num_gone)[:_MOST_SHOWN]) + ", ..." * (len(num_gone) > _MOST_SHOWN)
        said.append(
            f"{counted(num_gone.total(), 'value')} in columns deleted with subjects that have no face any more: "
            f"{names}."
        )
    return [kept[key] for key in sorted(kept)], said


def words_on(attributes: Sequence[Attribute], table: ColumnTable, faces: Iterable[Face]) -> list[str]:
    """Say how many subjects or videos have a value in each column that was given, and how many have none."""
    items = {face.subject_id if table.of == "subject" else face.video_id for face in faces if face.is_usable} - {""}
    said = []
    for column in dict.fromkeys(column for _, column in table.values):
        rows = [row for row in attributes if (row.of, row.column) == (table.of, column) and row.item in items]
        have, values = {row.item for row in rows}, len({row.value for row in rows})
        lacking = len(items) - len(have)
        rest = f"; {counted(lacking, table.of)} {'has' if lacking == 1 else 'have'} none" if lacking else ""
        said.append(
            f"Column '{column}' has {counted(values, 'different value', 'different values')}, of "
            f"{counted(len(have), table.of)}{rest}. To evaluate by it: fer eval --by {_quoted(column)}"
        )
    return said


def words_on_left(table: Path, columns: Iterable[str]) -> list[str]:
    """Say which columns of the table were not kept."""
    left = list(columns)
    if not left:
        return []
    return [
        f"Columns that are not kept: {', '.join(left)}. To attach one to subjects or videos: fer subjects assign "
        f"{_quoted(table.name)} --columns {_quoted(left[0])}"
    ]


def _check_columns(wanted: Sequence[str], columns: Sequence[str], *, taken: str) -> None:
    reserved = {folded(name) for name in (*BUILT_IN_COLUMNS, ALL_COLUMNS)}
    for name in wanted:
        if name not in columns or name == taken:
            others = [one for one in columns if one != taken]
            raise UsageError(f"--columns {name}: the table has no such column", hint=suggestion(name, others))
        if folded(name) in reserved or not name.isprintable():
            raise UsageError(
                f"--columns {name}: this name has a meaning of its own in fer eval --by",
                hint="Give the column another name in the table.",
            )


def _quoted(text: str) -> str:
    return f"'{text}'" if " " in text else text
