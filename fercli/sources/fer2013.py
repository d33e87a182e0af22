"""Read FER2013 in its three forms: fer2013.csv, icml_face_data.csv, Kaggle's folders.

Source: Goodfellow et al., Challenges in Representation Learning, ICONIP 2013.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8

from fercli.core.emotions import PRESETS
from fercli.core.errors import InputError
from fercli.core.results import Failure
from fercli.core.rows import Split
from fercli.core.words import counted
from fercli.sources.folder import class_items
from fercli.sources.items import Decode, Roles, SourceBatch, SourceItem, SourceOptions, shown
from fercli.sources.pictures import find_pictures, read_pictures

SIDE = 48
EMOTIONS = PRESETS["fer2013"]
PARTS = ("Training", "PublicTest", "PrivateTest")
PUBLISHED = {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
LOOKS_LIKE = (
    "fer2013.csv, icml_face_data.csv, or a folder with train/<class>/*.jpg and test/<class>/*.jpg "
    "(or images/train and images/validation)"
)
_COLUMNS = ("emotion", "pixels", "usage")
_BATCH = 1024
# 2304 numbers of three digits are under 10 kB; a line of a hundred megabytes must not be read whole.
_MAX_LINE = 65_536


def read_fer2013(path: Path, options: SourceOptions, decode: Decode) -> Iterator[SourceBatch]:
    """Read FER2013 from its csv file, a folder that holds it, or Kaggle's class folders.

    Raises:
        InputError: nothing like FER2013 is there, or no row of it can be read.
    """
    csv = find_csv(path)
    return read_csv(csv, options) if csv else _read_folders(path, options, decode)


def find_csv(path: Path) -> Path | None:
    """The csv file that `path` is or holds; None when it is a folder without one.

    Raises:
        InputError: `path` does not exist.
    """
    if not path.exists():
        raise InputError(f"'{shown(path)}' does not exist", hint=f"Expected: {LOOKS_LIKE}.")
    if path.is_file():
        return path
    places = (root / name for root in _roots(path) for name in CSV_NAMES)
    return next((place for place in places if place.is_file()), None)


def _roots(path: Path) -> tuple[Path, ...]:
    """The folder, and those that archives put around what they hold."""
    return path, path / "fer2013", path / "images", path / "images" / "images"


def fer2013_roles(parts: Collection[str]) -> Roles:
    """Which split each published part is: without PrivateTest, PublicTest is what is reported."""
    if "PrivateTest" in parts:
        return {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
    validation: Split = "val" if "test" in parts else "test"
    return {"Training": "train", "PublicTest": "test", "test": "test", "validation": validation}


def read_csv(path: Path, options: SourceOptions) -> Iterator[SourceBatch]:
    """Read rows of emotion code, 2304 pixel values and Usage; columns in any order, one bad row set aside at a time.

    Raises:
        InputError: the columns are others, or no row can be read.
    """
    with path.open("rb") as file:
        columns = _find_columns(file.readline(_MAX_LINE), path)
        yield from _batches(file, columns, path, options)


@dataclass(frozen=True)
class _Columns:
    emotion: int
    pixels: int
    usage: int
    num_columns: int


def _find_columns(line: bytes, path: Path) -> _Columns:
    # icml_face_data.csv has a space after each comma of its header; a spreadsheet adds a byte order mark and quotes.
    names = [_plain(cell).lower() for cell in line.removeprefix(b"\xef\xbb\xbf").split(b",")]
    missing = [name for name in _COLUMNS if names.count(name) != 1]
    if missing:
        found = ", ".join(name[:30] for name in names[:5]) or "nothing"
        raise InputError(
            f"{shown(path)}: missing column {', '.join(missing)}; its first line is {found}",
            hint=f"Expected: {LOOKS_LIKE}; the csv has the columns emotion, pixels, Usage.",
        )
    emotion, pixels, usage = (names.index(name) for name in _COLUMNS)
    return _Columns(emotion, pixels, usage, num_columns=len(names))


def _batches(file: BinaryIO, columns: _Columns, path: Path, options: SourceOptions) -> Iterator[SourceBatch]:
    items: list[SourceItem] = []
    images = np.empty((_BATCH, SIDE, SIDE), np.uint8)
    failures: list[Failure] = []
    num_read = 0
    for number, line in enumerate(_lines(file), start=2):
        try:
            item, pixels = _read_row(line, columns, number, path.name, options=options)
        except ValueError as error:
            failures.append(Failure(f"{path.name}:{number}", str(error)))
            continue
        images[len(items)] = pixels
        items.append(item)
        if len(items) == _BATCH:
            yield SourceBatch(tuple(items), list(images), tuple(failures))
            num_read += len(items)
            items, images, failures = [], np.empty_like(images), []
    if not num_read and not items:
        reason = f"; line 2: {failures[0].reason}" if failures else ": it has no rows"
        raise InputError(f"{shown(path)}: no row can be read{reason}", hint=f"Expected: {LOOKS_LIKE}.")
    yield SourceBatch(tuple(items), list(images[: len(items)]), tuple(failures))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines without their end, longer ones cut; empty lines at the end of the file are no rows."""
    num_empty = 0
    while line := file.readline(_MAX_LINE):
        while not line.endswith(b"\n") and (rest := file.readline(_MAX_LINE)):
            line = line[:_MAX_LINE] + rest[-1:]
        if not line.strip():
            num_empty += 1
            continue
        for _ in range(num_empty):
            yield b""
        num_empty = 0
        yield line


def _read_row(
    line: bytes, columns: _Columns, number: int, file_name: str, *, options: SourceOptions
) -> tuple[SourceItem, UInt8[np.ndarray, "48 48"]]:
    cells = line.split(b",")
    if len(cells) != columns.num_columns:
        raise ValueError(f"{counted(len(cells), 'cell')} instead of {columns.num_columns}")
    code, part = _plain(cells[columns.emotion]), _plain(cells[columns.usage])
    if code not in {str(known) for known in range(len(EMOTIONS))}:
        raise ValueError(f"emotion code '{code[:20]}' is not 0..{len(EMOTIONS) - 1}")
    if part not in PARTS:
        raise ValueError(f"Usage '{part[:20]}' is not {', '.join(PARTS)}")
    emotion = options.class_of(EMOTIONS[int(code)])
    assert emotion is not None  # the registry has checked that the project knows all classes
    item = SourceItem(number - 2, f"{file_name}:{number}", emotion, part)
    return item, _read_pixels(cells[columns.pixels])


def _read_pixels(text: bytes) -> UInt8[np.ndarray, "48 48"]:
    try:
        values = np.fromstring(text.strip(b' "\r\n\t'), dtype=np.int64, sep=" ")
    except (ValueError, DeprecationWarning) as error:
        raise ValueError("a pixel value is not a whole number") from error
    if values.size != SIDE * SIDE:
        raise ValueError(f"{values.size} pixels instead of {SIDE * SIDE}")
    if values.min() < 0 or values.max() > 255:
        raise ValueError("a pixel lies outside 0..255")
    return values.astype(np.uint8).reshape(SIDE, SIDE)


def _plain(cell: bytes) -> str:
    return cell.strip(b' "\r\n\t').decode("utf-8", "replace")


def _read_folders(path: Path, options: SourceOptions, decode: Decode) -> Iterator[SourceBatch]:
    path = next((root for root in _roots(path) if (root / "train").is_dir()), path)
    if not (path / "train").is_dir():
        raise InputError(f"no FER2013 data found in '{shown(path)}'", hint=f"Expected: {LOOKS_LIKE}.")
    found = find_pictures(path)
    items = [_with_published_part(item) for item in class_items(path, found.files, options)]
    yield SourceBatch(num_foreign=found.num_foreign, num_total=len(items))
    for batch in read_pictures(items, decode, num_total=len(items), is_grey=True):
        yield _only_of_size(batch)


def _with_published_part(item: SourceItem) -> SourceItem:
    # Kaggle's file names begin with the part: Training_123.jpg, PublicTest_7.jpg; without it the folder decides.
    part = next((part for part in PARTS if Path(item.where).name.startswith(part)), None)
    # One form holds 28,821 pictures in images/train and 7,066 in images/validation, which are not the published parts.
    named = {"train": "Training", "test": "test", "val": "validation"}
    return replace(item, part=part or named.get(item.part, item.part))


def _only_of_size(batch: SourceBatch) -> SourceBatch:
    sizes = [image.shape == (SIDE, SIDE) for image in batch.images]
    wrong = [
        Failure(item.where, f"{image.shape[1]}x{image.shape[0]} pixels instead of {SIDE}x{SIDE}")
        for item, image, fits in zip(batch.items, batch.images, sizes, strict=True)
        if not fits
    ]
    items = tuple(item for item, fits in zip(batch.items, sizes, strict=True) if fits)
    images = [image for image, fits in zip(batch.images, sizes, strict=True) if fits]
    return SourceBatch(items, images, (*batch.failures, *wrong), num_total=batch.num_total)
