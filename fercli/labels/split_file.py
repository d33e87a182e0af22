"""Read a split that somebody else wrote as CSV."""

from dataclasses import dataclass, field
from pathlib import Path

from fercli.core.errors import InputError
from fercli.core.rows import Split, SplitRow
from fercli.core.words import counted
from fercli.labels.formats.csv import ITEM_WORDS, find_column, open_table
from fercli.labels.matching import FaceIndex

SPLIT_WORDS = ("split", "usage", "partition", "part", "set", "subset")
FOLD_WORDS = ("fold",)
_MEANINGS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class SplitFile:
    """The rows that found their face, sorted, and the items that did not."""

    rows: list[SplitRow]
    unmatched: list[str] = field(default_factory=list)


def read_split_file(path: Path, faces: FaceIndex) -> SplitFile:
    """Read a CSV with a column for the face (face_id, image, path, ...) and one for its part (split, usage, ...).

    A column `fold` makes it a k-fold split: a face then stands once in each fold.

    Raises:
        InputError: a column is missing, a part is none of train, val, test, or a face stands in two parts of one fold.
    """
    table = open_table(path)
    item, part, fold = (find_column(table.header, words) for words in (ITEM_WORDS, SPLIT_WORDS, FOLD_WORDS))
    if item is None or part is None:
        missing = f"face ({', '.join(ITEM_WORDS)})" if item is None else f"set ({', '.join(SPLIT_WORDS)})"
        raise InputError(f"{path}: missing column: {missing}", hint="Expected: face_id,split with train, val, test.")
    found: dict[tuple[str, int | None], SplitRow] = {}
    unmatched = []
    for line, cells in table.rows:
        cells += [""] * (len(table.header) - len(cells))
        face_id = faces.find(cells[item])
        row = SplitRow(face_id or "", _meaning(path, line, cells[part]), _fold(path, line, cells, fold))
        if face_id is None:
            unmatched.append(cells[item])
        elif found.setdefault((face_id, row.fold), row).split != row.split:
            both = f"{found[face_id, row.fold].split} and in {row.split}"
            raise InputError(f"{path}:{line}: '{face_id}' is in {both}", hint="Keep one of the two lines.")
    if not found:
        raise InputError(
            f"{path}: none of its {counted(len(unmatched), 'item')} matches a face of this project",
            hint="Items are matched by face_id, file name or path (also of the files that were added).",
        )
    return SplitFile([found[key] for key in sorted(found, key=lambda key: (key[0], key[1] or 0))], unmatched)


def _meaning(path: Path, line: int, word: str) -> Split:
    meaning = _MEANINGS.get(word.strip().lower())
    if meaning is None:
        raise InputError(f"{path}:{line}: unknown set '{word}'", hint="Use train, val or test.")
    return meaning


def _fold(path: Path, line: int, cells: list[str], place: int | None) -> int | None:
    if place is None or not cells[place]:
        return None
    if not cells[place].isdecimal():
        raise InputError(f"{path}:{line}: invalid fold number '{cells[place]}'", hint="Number the folds 0, 1, 2, ...")
    return int(cells[place])
