"""Read and write CSV tables as typed rows; a table on disk is complete or unchanged."""

import csv
import dataclasses
import functools
import io
import operator
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeVar

from fercli.core.annotations import bare_type
from fercli.core.errors import TableError
from fercli.core.files import check_plain, replace_text
from fercli.core.words import counted

Row = TypeVar("Row")
PROBABILITY_PREFIX = "p_"


def column_names(row_type: type[Any], classes: Sequence[str] = ()) -> list[str]:
    """The columns of a table in order; a field of probabilities becomes one column `p_<class>` for each class."""
    names: list[str] = []
    for column in dataclasses.fields(row_type):
        names += [PROBABILITY_PREFIX + name for name in classes] if is_mapping(column.type) else [column.name]
    return names


def read_table(path: Path, row_type: type[Row]) -> list[Row]:
    """All rows of a table; columns may stand in any order.

    Raises:
        TableError: the file cannot be read, a column is missing or unknown, or a cell has the wrong type.
    """
    with opened_table(path) as file:
        reader = csv.reader(file)
        parse = _row_parser(row_type, next(reader, []), path)
        return [parse(cells, reader.line_num) for cells in reader if cells]


def read_columns(path: Path, row_type: type[Any], names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Some columns (two or more) of each row, without reading the others' cells: for who needs little of much.

    Raises:
        TableError: as `read_table`; only the cells of these columns are looked at.
    """
    with opened_table(path) as file:
        reader = csv.reader(file)
        header = next(reader, [])
        check_header(path, header, row_type)
        kinds: dict[str, Any] = {column.name: column.type for column in dataclasses.fields(row_type)}
        pick = operator.itemgetter(*(header.index(name) for name in names))
        # Text is taken as it is: a call for each cell would cost more than the reading.
        converted = [(place, reader_of(kinds[name])) for place, name in enumerate(names) if kinds[name] is not str]
        for cells in reader:
            if not cells:
                continue
            try:
                row = list(pick(cells))
                for place, read in converted:
                    row[place] = read(row[place])
            except (ValueError, IndexError) as error:
                where = f"{path}:{reader.line_num}"
                raise TableError(f"{where}: a cell cannot be read", hint="Fix or restore that row.") from error
            yield tuple(row)


@contextmanager
def opened_table(path: Path) -> Iterator[TextIO]:
    """The text of a table, for `csv.reader`.

    Raises:
        TableError: within, too, where the file cannot be read or is not CSV.
    """
    try:
        check_plain(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: not UTF-8 text ({error.reason})", hint="Save the table as UTF-8 CSV.") from error
    except csv.Error as error:
        raise TableError(
            f"{path}: cannot be parsed as CSV: {error}", hint="Look for an unclosed quotation mark."
        ) from error
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror}", hint="Check its permissions.") from error


def write_table(path: Path, rows: Iterable[Any], row_type: type[Any], classes: Sequence[str] = ()) -> None:
    """Replace a table by `rows`, sorted by their columns from the first, which is the key."""
    replace_text(path, table_text(rows, row_type, classes))


def table_text(rows: Iterable[Any], row_type: type[Any], classes: Sequence[str] = ()) -> str:
    """The text that `write_table` writes: a header line, then sorted rows; floats as the shortest exact decimal."""
    # Looked up once: a table of votes has millions of cells.
    fields = [(column.name, is_mapping(column.type)) for column in dataclasses.fields(row_type)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(column_names(row_type, classes))
    lines = []
    for row in rows:
        cells: list[str] = []
        for column, has_shares in fields:
            value = getattr(row, column)
            if has_shares:
                cells += [_cell(value.get(name)) for name in classes]
            else:
                cells.append(_cell(value))
        lines.append(cells)
    writer.writerows(sorted(lines))
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def check_header(path: Path, header: Sequence[str], row_type: type[Any]) -> list[str]:
    """The columns `p_<class>` of a table, if it may have any; `path` is for the error.

    Raises:
        TableError: a column is missing or unknown.
    """
    fields = dataclasses.fields(row_type)
    wanted = [column.name for column in fields if not is_mapping(column.type)]
    missing = [name for name in wanted if name not in header and name not in later_columns(row_type)]
    if missing:
        raise TableError(f"{path}: missing column {', '.join(missing)}", hint=f"Required columns: {', '.join(wanted)}.")
    extra = [name for name in header if name not in wanted]
    has_mapping = len(wanted) < len(fields)
    foreign = [name for name in extra if not (has_mapping and name.startswith(PROBABILITY_PREFIX))]
    if foreign:
        raise TableError(f"{path}: unexpected column {', '.join(foreign)}", hint="Remove it: fercli would not keep it.")
    return extra


def later_columns(row_type: type[Any]) -> dict[str, Any]:  # values of any field
    """The columns that came after the table's first version, and what stands for them where a file lacks them."""
    fields = dataclasses.fields(row_type)
    return {column.name: column.default for column in fields if column.metadata.get("is_later")}


def _row_parser(row_type: type[Row], header: list[str], path: Path) -> Callable[[list[str], int], Row]:
    extra = check_header(path, header, row_type)
    absent = [name for name in later_columns(row_type) if name not in header]
    fields = [column for column in dataclasses.fields(typing.cast(Any, row_type)) if column.name not in absent]
    places = {name: place for place, name in enumerate(header)}
    shares = [(name.removeprefix(PROBABILITY_PREFIX), places[name]) for name in extra]
    readers = [
        (column.name, reader_of(typing.cast(Any, column.type)), places.get(column.name, -1)) for column in fields
    ]

    def parse(cells: list[str], line: int) -> Row:
        if len(cells) != len(header):
            cells_here = f"{counted(len(cells), 'cell')} instead of {len(header)}"
            raise TableError(f"{path}:{line}: {cells_here}", hint="Fix or restore that row.")
        try:
            values = [
                read(cells[place]) if place >= 0 else {name: float(cells[p]) for name, p in shares if cells[p]}
                for _, read, place in readers
            ]
        except ValueError as error:
            raise TableError(f"{path}:{line}: {_culprit(readers, cells)}", hint="Fix or restore that row.") from error
        # What is absent comes last, and has a default.
        return row_type(*values)

    return parse


def _culprit(readers: list[tuple[str, Callable[[str], Any], int]], cells: list[str]) -> str:
    for name, read, place in readers:
        try:
            if place >= 0:
                read(cells[place])
        except ValueError:
            return f"column {name} cannot hold '{cells[place]}'"
    return "probability is not a number"


def is_mapping(kind: object) -> bool:
    """Whether a field of this type is the columns `p_<class>` of the table."""
    return typing.get_origin(kind) is dict


@functools.cache
def reader_of(kind: Any) -> Callable[[str], Any]:
    """How to read a cell of a field of type `kind`: str, int, float, bool, a Literal, or one of these or None."""
    inner, is_optional = bare_type(kind)
    if is_optional:
        read = reader_of(inner)
        return lambda cell: None if cell == "" else read(cell)
    if typing.get_origin(kind) is typing.Literal:
        return _one_of(typing.get_args(kind))
    if kind is bool:
        return lambda cell: _one_of(("true", "false"))(cell.lower()) == "true"
    return typing.cast(Callable[[str], Any], kind)


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(cell: str) -> str:
        if cell not in words:
            raise ValueError(cell)
        return cell

    return read
