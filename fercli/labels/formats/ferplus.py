"""Read FERPlus' counts (fer2013new.csv: ten anonymous votes per line), joined to FER2013 by line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fercli.core.errors import InputError
from fercli.labels.formats.csv import open_table
from fercli.labels.formats.rawvotes import RawVote, RawVotes, ballot

CATEGORIES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
HEADER = ("usage", "image_name", *(name.lower() for name in CATEGORIES))
MAX_VOTES = 100


@dataclass(frozen=True, slots=True)
class FerPlusRow:
    """One line: the row of fer2013.csv it belongs to (from 0), its Usage, and the count of each of CATEGORIES."""

    row: int
    usage: str
    counts: tuple[int, ...]


def read_ferplus_rows(path: Path) -> list[FerPlusRow]:
    """The counts of every line, in the order of the file.

    Raises:
        InputError: the header is not that of fer2013new.csv, or a count is no number from 0 to 100.
    """
    table = open_table(path)
    if tuple(table.header) != HEADER:
        hint = f"The header is: Usage,Image name,{','.join(CATEGORIES)}."
        raise InputError(f"{path}: wrong columns for FERPlus", hint=hint)
    return [FerPlusRow(row, cells[0], _counts(path, line, cells[2:])) for row, (line, cells) in enumerate(table.rows)]


def read_ferplus(path: Path) -> RawVotes:
    """Read FERPlus' counts as votes of numbered ballots; items are "row N" of fer2013.csv.

    The number in an image name is not the row, and some lines have no name at all, so the line decides.
    """
    votes: list[RawVote] = []
    for entry in read_ferplus_rows(path):
        item = f"row {entry.row}"
        words = [category for category, count in zip(CATEGORIES, entry.counts, strict=True) for _ in range(count)]
        votes += [RawVote(item, ballot(number), word) for number, word in enumerate(words, start=1)]
    return RawVotes("ferplus", "the header is that of FERPlus' fer2013new.csv", votes)


def _counts(path: Path, line: int, cells: Sequence[str]) -> tuple[int, ...]:
    if len(cells) != len(CATEGORIES) or not all(cell.isdecimal() and int(cell) <= MAX_VOTES for cell in cells):
        raise InputError(
            f"{path}:{line}: expected ten vote counts, found {','.join(cells)}", hint="Download the file again."
        )
    return tuple(int(cell) for cell in cells)
