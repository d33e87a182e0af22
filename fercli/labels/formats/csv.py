"""Read votes from CSV files, long (one vote per line) or wide (one column per annotator), as tools write them."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from fercli.core.errors import InputError
from fercli.core.rows import Chosen, Suggested
from fercli.core.words import counted
from fercli.labels.formats.rawvotes import RawVote, RawVotes, utc_stamp
from fercli.labels.formats.textfile import bounded_lines, find_encoding

# Synonyms of each column, the surest first.
ITEM_WORDS = ("face_id", "item", "task", "image", "filename", "file_name", "path")
ANNOTATOR_WORDS = ("annotator", "worker", "rater", "completed_by")
LABEL_WORDS = ("label", "class", "emotion", "expression")
CONFIDENCE_WORDS = ("confidence", "certainty")
TIME_WORDS = ("created_at", "timestamp", "updated_at")
# How a face came before the annotator; `fer annotate` writes these.
MARK_WORDS = ("suggested", "chosen")
_DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'^"?sep=(.)"?\s*$', re.IGNORECASE)
# Excel's way to keep leading zeros in a cell: ="007".
_EXCEL_TEXT = re.compile(r'^="?([^"]*)"?$')


@dataclass(frozen=True)
class Table:
    """An open CSV file: its header in lower case with underscores, and its rows to come as (line number, cells)."""

    header: list[str]
    titles: list[str]
    rows: Iterator[tuple[int, list[str]]]
    notes: list[str]


@dataclass(frozen=True)
class _Columns:
    item: int
    label: int
    annotator: int | None
    confidence: int | None
    created_at: int | None
    suggested: int | None
    chosen: int | None


def read_csv(path: Path, *, annotator: str = "") -> RawVotes:
    """Read votes from a CSV file; the header tells long from wide.

    Delimiters `,` `;` tab and `|`, byte-order marks, Excel's `sep=;` line and `="..."` cells are understood. An empty
    label is no vote.

    Args:
        path: the file.
        annotator: who voted, where a long file has no annotator column or an empty cell in it; without a column the
            file's stem stands for them.

    Raises:
        InputError: wrong columns, wrong encoding, a line without end, an item without a name.
    """
    table = open_table(path)
    columns = _long_columns(table.header)
    if columns is not None:
        return _read_long(path, table, columns, annotator)
    return _read_wide(path, table)


def open_table(path: Path) -> Table:
    """Find encoding and delimiter of a CSV file and read its header.

    Raises:
        InputError: the file is no text, empty, or has a line that is too long.
    """
    encoding = find_encoding(path)
    lines = bounded_lines(path, encoding.name)
    first = next((line for line in lines if line.strip()), "")
    delimiter = ""
    if match := _SEPARATOR_LINE.match(first):
        delimiter, first = match[1], next((line for line in lines if line.strip()), "")
    if not first:
        raise InputError(f"{path}: missing header line", hint=_EXPECTED)
    delimiter = delimiter or max(_DELIMITERS, key=first.count)
    rows = _rows(path, _chain(first, lines), delimiter)
    _, titles = next(rows)
    while titles and not titles[-1]:
        titles.pop()
    notes = [encoding.note] if encoding.note else []
    return Table([normal_title(title) for title in titles], titles, rows, notes)


def normal_title(title: str) -> str:
    """A column's title in lower case, with underscores for blanks and dashes."""
    return re.sub(r"[\s\-\u00a0]+", "_", title.strip().lower())


def find_column(header: Sequence[str], words: Sequence[str]) -> int | None:
    """The place of the first of `words` that is in `header`; None when none is."""
    return next((header.index(word) for word in words if word in header), None)


_EXPECTED = "Long: face_id,annotator,label. Wide: face_id,<annotator>,<annotator>,..."


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _rows(path: Path, lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            hint = "Look for an unclosed quotation mark."
            raise InputError(f"{path}:{reader.line_num}: cannot be parsed as CSV: {error}", hint=hint) from error
        if any(cells):
            cells = [cell.strip() for cell in cells]
            yield reader.line_num, [_clean(cell) for cell in cells] if any("=" in cell for cell in cells) else cells


def _clean(cell: str) -> str:
    match = _EXCEL_TEXT.match(cell)
    return match[1] if match else cell


def _long_columns(header: Sequence[str]) -> _Columns | None:
    item, label = find_column(header, ITEM_WORDS), find_column(header, LABEL_WORDS)
    if item is None or label is None:
        return None
    confidence, created_at = find_column(header, CONFIDENCE_WORDS), find_column(header, TIME_WORDS)
    marks = [find_column(header, [word]) for word in MARK_WORDS]
    return _Columns(item, label, find_column(header, ANNOTATOR_WORDS), confidence, created_at, *marks)


def _read_long(path: Path, table: Table, columns: _Columns, annotator: str) -> RawVotes:
    notes = list(table.notes)
    guessed = "" if columns.annotator is not None or annotator else path.stem
    votes, num_skipped, num_no_number = [], 0, 0
    width = len(table.header)
    for line, cells in table.rows:
        cells = _padded(path, line, cells, width)
        word, item = cells[columns.label], cells[columns.item]
        if not word:
            num_skipped += 1
            continue
        who = (cells[columns.annotator] if columns.annotator is not None else guessed) or annotator
        _check_named(path, line, item, who)
        confidence = None
        if columns.confidence is not None and cells[columns.confidence]:
            confidence = _number(cells[columns.confidence])
            num_no_number += confidence is None
        created_at = utc_stamp(cells[columns.created_at]) if columns.created_at is not None else ""
        suggested, chosen = _mark(cells, columns.suggested, Suggested), _mark(cells, columns.chosen, Chosen)
        votes.append(RawVote(item, who, word, confidence, created_at, suggested, chosen))
    if num_no_number:
        notes.append(f"{path.name}: ignored {counted(num_no_number, 'non-numeric confidence')}")
    used = [table.titles[place] for place in (columns.item, columns.annotator, columns.label) if place is not None]
    holds = f"a CSV table with {counted(num_skipped, 'line')} and no label in them"
    return RawVotes(
        "csv-long", f"the header has {', '.join(used)}", votes, num_skipped, notes=notes,
        guessed=guessed if votes else "", holds=holds,
    )  # fmt: skip


def _read_wide(path: Path, table: Table) -> RawVotes:
    item = find_column(table.header, ITEM_WORDS)
    others = {*ITEM_WORDS, *TIME_WORDS, *CONFIDENCE_WORDS, ""}
    annotators = [place for place, title in enumerate(table.header) if title not in others]
    has_no_label = find_column(table.header, ANNOTATOR_WORDS) is not None
    if item is None or not annotators or has_no_label:
        missing = f"label ({', '.join(LABEL_WORDS)})" if item is not None else f"item ({', '.join(ITEM_WORDS)})"
        found = ", ".join(table.titles[:8])
        raise InputError(f"{path}: missing column: {missing}; found {found}", hint=_EXPECTED)
    names = [table.titles[place] for place in annotators]
    _check_distinct(path, names)
    votes, num_skipped = [], 0
    for line, cells in table.rows:
        cells = _padded(path, line, cells, len(table.header))
        for place, name in zip(annotators, names, strict=True):
            if not cells[place]:
                num_skipped += 1
                continue
            _check_named(path, line, cells[item], name)
            votes.append(RawVote(cells[item], name, cells[place]))
    reason = (
        f"the header has {table.titles[item]}, no label column, and "
        f"{counted(len(names), 'more column')}, one per annotator"
    )
    holds = f"a CSV table with {counted(len(names), 'column')} of votes, all empty"
    return RawVotes("csv-wide", reason, votes, num_skipped, notes=list(table.notes), holds=holds)


def _mark(cells: Sequence[str], place: int | None, kind: Any) -> Any:  # a Literal, and one of its words
    """The word of a mark; a column of that name that somebody else wrote means something else."""
    word = cells[place] if place is not None else ""
    return word if word in get_args(kind) else ""


def _padded(path: Path, line: int, cells: list[str], width: int) -> list[str]:
    if any(cells[width:]):
        hint = "Put cells that contain the delimiter in quotation marks."
        raise InputError(
            f"{path}:{line}: {counted(len(cells), 'cell')} in a table of {counted(width, 'column')}", hint=hint
        )
    return cells + [""] * (width - len(cells))


def _check_named(path: Path, line: int, item: str, annotator: str) -> None:
    if not item or not annotator:
        missing = "a face" if not item else "an annotator"
        fill = "Fill in the cell, or clear the label."
        hint = fill if not item else "Fill in the column, or name the annotator with --annotator NAME."
        raise InputError(f"{path}:{line}: label without {missing}", hint=hint)


def _check_distinct(path: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: duplicate column '{twice[0]}'", hint="Give each annotator one column.")


def _number(text: str) -> float | None:
    """None when the text is no number; German and French Excel write a decimal comma."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
