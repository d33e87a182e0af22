"""Tables as pandas data frames, with the values and errors of `read_table`."""

import csv
import dataclasses
import io
import math
import re
import typing
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from fercli.core.annotations import bare_type
from fercli.core.errors import TableError, UsageError
from fercli.core.files import check_plain
from fercli.core.project import REPEATED, TABLES, Project
from fercli.core.rows import USABLE, SplitRow
from fercli.core.settings import suggestion
from fercli.core.tables import (
    PROBABILITY_PREFIX,
    check_header,
    is_mapping,
    later_columns,
    opened_table,
    read_table,
    reader_of,
)

Row = TypeVar("Row")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NO_SEPARATORS = bytes(byte for byte in range(256) if byte not in b",\n")
# Older versions read floats to the last digit only when told so; from 3.1 on all do, and warn when told.
_EXACT: dict[str, Any] = (
    {"float_precision": "round_trip"} if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else {}
)


def frame(project: Project, name: str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """A table of the project by the name of its file: videos, frames, faces, subjects, votes, labels, splits/default.

    Strings are strings, empty where the cell is; a float that is not given is NaN, an integer `pd.NA`. Words of a
    closed choice, such as the status of a face, are categories in the order of `core/rows.py`.

    Args:
        project: whose table.
        name: of the table.
        columns: only these, which takes a fraction of the time; all of them where none is named.

    Raises:
        UsageError: no table has that name.
        MissingStageError: it has not been made yet.
        TableError: it is damaged, or holds one id twice.
    """
    row_types = {file.removesuffix(".csv"): row_type for row_type, file in TABLES.items()}
    splits = {f"splits/{split}": split for split in project.splits()}
    if name in row_types:
        row_type = row_types[name]
        project.require(row_type)
        table = project.read(project.table_path(row_type), lambda path: read_frame(path, row_type, columns))
        if row_type not in REPEATED and table.iloc[:, 0].duplicated().any():
            project.rows(row_type)  # refuses the table and names the id
        return table
    if name in splits:
        return project.read(project.split_path(splits[name]), lambda path: read_frame(path, SplitRow, columns))
    raise UsageError(f"no table '{name}' in '{project.name}'", hint=suggestion(name, [*row_types, *splits]))


def is_usable(faces: pd.DataFrame) -> "pd.Series[bool]":
    """Which faces can be labelled, split and learned from, as `Face.is_usable`."""
    return faces.status.isin(USABLE)


def read_frame(path: Path, row_type: type[Any], columns: Sequence[str] = ()) -> pd.DataFrame:
    """All rows of a table as columns, in the order of the row's fields; a class's probabilities are `p_<class>`.

    Args:
        path: the table.
        row_type: a class of `core/rows.py`.
        columns: only these; what the others hold is not looked at.

    Raises:
        TableError: as `read_table`, or an integer has more than 64 bits.
    """
    try:
        return _parse(_plain_lines(path), path, row_type, columns)
    except (ValueError, OverflowError, OSError):
        # Not as `write_table` writes: `read_table` knows what else is allowed, and says what is wrong.
        table = _frame_of(read_table(path, row_type), path, row_type)
        return table[list(columns)] if columns else table


def read_rows(path: Path, row_type: type[Row]) -> list[Row]:
    """The rows of `read_table`; large tables in less than half its time.

    Args:
        path: the table.
        row_type: a class of `core/rows.py`: a dataclass with slots.

    Raises:
        TableError: as `read_table`.
    """
    try:
        # In a column of floats, nan and an empty cell are the same.
        table = _parse(_plain_lines(path, b"nan"), path, row_type)
    except (ValueError, OverflowError, OSError):
        return read_table(path, row_type)
    # The constructor of a frozen dataclass takes longer than all before; it sets the slots, too, one by one.
    rows = [object.__new__(row_type) for _ in range(len(table))]
    names = [column.name for column in dataclasses.fields(typing.cast(Any, row_type))]
    for name in names:
        values = _values(table[name]) if name in table else _mappings(table.drop(columns=names, errors="ignore"))
        deque(map(getattr(row_type, name).__set__, rows, values), maxlen=0)
    return rows


def count_pairs(groups: pd.Series, words: pd.Series) -> dict[str, dict[str, int]]:
    """How often each word stands in each group, both in sorted order; pairs that do not occur are left out."""
    counts: dict[str, dict[str, int]] = {}
    for (group, word), number in pd.Series(1, index=[groups, words]).groupby(level=[0, 1], observed=True).sum().items():
        counts.setdefault(str(group), {})[str(word)] = int(number)
    return counts


def _plain_lines(path: Path, *foreign: bytes) -> bytes:
    """The text of a table whose cells are what stands between commas, the same number in each line; lines end in LF.

    Args:
        path: the table.
        foreign: words that no cell may end in, whatever their case.

    Raises:
        ValueError: it is not so plain.
    """
    check_plain(path)
    data = path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    if not data.endswith(b"\n"):
        data += b"\n"
    num_commas = data.count(b",", 0, data.index(b"\n"))
    # pandas would fill up a short line, and of a table of one column it would read an empty line as a row.
    separators = (b"," * num_commas + b"\n") * data.count(b"\n")
    if not num_commas or any(mark in data for mark in b'"\r\0') or data.translate(None, _NO_SEPARATORS) != separators:
        raise ValueError("quoted cells, or lines of different length")
    if max(map(len, io.BytesIO(data))) > csv.field_size_limit():
        raise ValueError("csv might refuse a cell of this length")
    lower = data.lower()
    # Among floats, pandas reads True as 1.0 where all cells of its block are truths or empty.
    if any(re.search(word + rb"\s*[,\n]", lower) for word in (b"true", b"false", *foreign)):
        raise ValueError("a word that pandas reads as a number")
    return data


def _parse(data: bytes, path: Path, row_type: type[Any], columns: Sequence[str] = ()) -> pd.DataFrame:
    header = data[: data.index(b"\n")].decode("utf-8").split(",")
    types = _types(path, header, row_type)
    absent = {name: value for name, value in later_columns(row_type).items() if name not in header}
    if len(header) > len(types) - len(absent):
        raise ValueError("a duplicate column")
    types = {name: types[name] for name in columns or types}
    absent = {name: value for name, value in absent.items() if name in types}
    floats = [name for name, kind in types.items() if bare_type(kind)[0] is float]
    table = pd.read_csv(
        io.BytesIO(data),
        dtype={name: "float64" if name in floats else str for name in types if name not in absent},
        keep_default_na=False,
        na_values={name: [""] for name in floats if name not in absent and bare_type(types[name])[1]},
        index_col=False,
        usecols=[name for name in types if name not in absent],
        skip_blank_lines=False,
        **_EXACT,
    )
    for name, value in absent.items():
        table[name] = _column([value] * len(table), types[name])
    for name, kind in types.items():
        if kind is not str and name not in floats and name not in absent:
            # Each word is read once, by the reader that `read_table` has for it.
            places, words = pd.factorize(table[name])
            table[name] = _column([reader_of(kind)(word) for word in words], kind).take(places).array
    return table[list(types)]


def _frame_of(rows: Sequence[Any], path: Path, row_type: type[Any]) -> pd.DataFrame:
    with opened_table(path) as file:
        types = _types(path, next(csv.reader(file)), row_type)
    names = [column.name for column in dataclasses.fields(row_type)]
    columns = {}
    for name, kind in types.items():
        try:
            columns[name] = _column([_cell(row, name, names) for row in rows], kind)
        except OverflowError as error:
            hint = "Correct or restore that cell."
            raise TableError(f"{path}: column {name} holds an integer of more than 64 bits", hint=hint) from error
    return pd.DataFrame(columns)


def _cell(row: Any, column: str, names: Sequence[str]) -> Any:
    """What a row holds for a column: the field of that name, or a probability."""
    if column in names:
        return getattr(row, column)
    return row.probabilities.get(column.removeprefix(PROBABILITY_PREFIX))


def _types(path: Path, header: Sequence[str], row_type: type[Any]) -> dict[str, Any]:
    """The type of each column in the order of the row's fields, then of the probabilities; an error names `path`."""
    types = {column.name: column.type for column in dataclasses.fields(row_type) if not is_mapping(column.type)}
    return types | dict.fromkeys(check_header(path, header, row_type), float | None)


def _column(values: Sequence[Any], kind: Any) -> pd.Series:
    """Values of a field of type `kind` as a column of the narrowest type that holds None where the field may."""
    inner, is_optional = bare_type(kind)
    if typing.get_origin(inner) is typing.Literal:
        return pd.Series(pd.Categorical(values, categories=typing.get_args(inner)))
    dtypes = {int: ("int64", "Int64"), bool: ("bool", "boolean"), float: ("float64", "float64")}
    return pd.Series(values, dtype=dtypes.get(inner, (str, object))[is_optional])


def _values(column: pd.Series) -> list[Any]:
    """The inverse of `_column`."""
    filled = column.to_numpy(dtype=object, copy=True)
    filled[column.isna()] = None
    values: list[Any] = filled.tolist()
    return values


def _mappings(shares: pd.DataFrame) -> list[dict[str, float]]:
    words = [name.removeprefix(PROBABILITY_PREFIX) for name in shares]
    return [
        {word: value for word, value in zip(words, row, strict=True) if not math.isnan(value)}
        for row in shares.to_numpy().tolist()
    ]
