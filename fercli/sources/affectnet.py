"""Read AffectNet, 7 or 8 classes, in its two forms: train_set/ and val_set/ folders, or the manual CSV.

Source: Mollahosseini, Hasani and Mahoor, AffectNet, IEEE Transactions on Affective Computing 10(1), 2019.
"""

import csv
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from fercli.core.csvtext import reading_csv
from fercli.core.emotions import PRESETS
from fercli.core.errors import InputError, MediaError
from fercli.core.results import Failure
from fercli.sources.folder import coded_items
from fercli.sources.items import Decode, Roles, SourceBatch, SourceItem, SourceOptions, shown
from fercli.sources.pictures import find_pictures, folder_here, read_file, read_pictures

# Codes 0..10; the last three say that the picture shows no emotion of the set. A plain "none" would pass for neutral.
CODES = (*PRESETS["affectnet8"], "none (code 8)", "uncertain (code 9)", "no face (code 10)")
EMOTIONS = PRESETS["affectnet8"]
OPTIONAL = frozenset({"contempt"})
PUBLISHED_7 = {"train_set": 283_901, "val_set": 3_500}
PUBLISHED_8 = {"train_set": 287_651, "val_set": 4_000}
LOOKS_LIKE = (
    "train_set/ and val_set/ with images/*.jpg and annotations/<id>_exp.npy, "
    "or training.csv and validation.csv beside Manually_Annotated_Images/ (or in Manually_Annotated_file_lists/), "
    "or train/0..7/*.jpg and val/0..7/*.jpg"
)
_BY_CODE = {str(code): emotion for code, emotion in enumerate(EMOTIONS)}
_PARTS = ("train_set", "val_set")
_CSV_PARTS = {"training.csv": "train_set", "validation.csv": "val_set"}
_CSV_COLUMNS = ("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "expression")
_LIST_FOLDERS = (".", "Manually_Annotated_file_lists", "Manually_Annotated/Manually_Annotated_file_lists")
_PICTURE_FOLDERS = (
    "Manually_Annotated/Manually_Annotated_Images", "Manually_Annotated_Images", "Manually_Annotated", "images", ".",
)  # fmt: skip
# The columns of a list that lacks its header, as validation.csv does in some copies.
_ALL_COLUMNS = (*_CSV_COLUMNS[:5], "facial_landmarks", "expression", "valence", "arousal")
_CODED_PARTS = {"train": "train_set", "val": "val_set", "test": "val_set"}


def read_affectnet(path: Path, options: SourceOptions, decode: Decode) -> Iterator[SourceBatch]:
    """Read AffectNet's manually annotated part; a project without `contempt` gets the seven-class set.

    Pictures of the csv form are cut to the published face box.

    Raises:
        InputError: nothing like AffectNet is there.
    """
    folder_here(path, "AffectNet", LOOKS_LIKE)
    if any((path / part / "annotations").is_dir() for part in _PARTS):
        return _read_sets(path, options, decode)
    tables = [path / room / name for room in _LIST_FOLDERS for name in _CSV_PARTS if (path / room / name).is_file()]
    if tables:
        return _read_tables(path, tables, options, decode)
    if any((path / "train" / code).is_dir() for code in _BY_CODE):
        return _read_coded(path, options, decode)
    raise InputError(f"no AffectNet data found in '{shown(path)}'", hint=f"Expected: {LOOKS_LIKE}.")


def affectnet_roles(parts: Collection[str]) -> Roles:
    """AffectNet's test set is not public: papers report val_set, so it is the test split here."""
    return {"train_set": "train", "val_set": "test"}


def _read_sets(path: Path, options: SourceOptions, decode: Decode) -> Iterator[SourceBatch]:
    row = 0
    for part in _PARTS:
        found = find_pictures(path / part / "images")
        items: list[SourceItem] = []
        failures: list[Failure] = []
        left_out: Counter[str] = Counter()
        for file in found.files:
            where = shown(file.relative_to(path))
            try:
                word = _read_code(path / part / "annotations" / f"{file.stem}_exp.npy")
            except ValueError as error:
                failures.append(Failure(where, str(error)))
            else:
                emotion = options.class_of(word)
                if emotion is None:
                    left_out[word] += 1
                else:
                    items.append(SourceItem(row, where, emotion, part, file=file, origin=where))
            row += 1
        yield SourceBatch((), (), tuple(failures), left_out, found.num_foreign)
        yield from read_pictures(items, decode)


def _read_coded(path: Path, options: SourceOptions, decode: Decode) -> Iterator[SourceBatch]:
    """Read train/0..7 and val/0..7 (or test/0..7)."""
    found = find_pictures(path)
    items = coded_items(path, found.files, _BY_CODE, options)
    left_out = Counter(_BY_CODE[Path(item.where).parent.name] for item in items if not item.emotion)
    kept = [replace(item, part=_CODED_PARTS.get(item.part, item.part)) for item in items if item.emotion]
    yield SourceBatch(left_out=left_out, num_foreign=found.num_foreign, num_total=len(kept))
    yield from read_pictures(kept, decode, num_total=len(kept))


def _read_code(path: Path) -> str:
    try:
        code = int(str(np.load(path, allow_pickle=False)))
    except FileNotFoundError as error:
        raise ValueError(f"missing annotations/{path.name}") from error
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"annotations/{path.name} has no emotion code") from error
    return _word(code)


def _word(code: int) -> str:
    if not 0 <= code < len(CODES):
        raise ValueError(f"emotion code {code} is not 0..{len(CODES) - 1}")
    return CODES[code]


def _read_tables(path: Path, tables: list[Path], options: SourceOptions, decode: Decode) -> Iterator[SourceBatch]:
    root = next(path / name for name in _PICTURE_FOLDERS if (path / name).is_dir())
    row = 0
    for table in tables:
        for item, box, failure, word in _table_rows(table, root, options, row):
            row += 1
            if failure:
                yield SourceBatch(failures=(failure,))
            elif item is None:
                yield SourceBatch(left_out={word: 1})
            else:
                yield _read_face(item, box, decode)


_TableRow = tuple[SourceItem | None, tuple[int, int, int, int], Failure | None, str]


def _table_rows(table: Path, root: Path, options: SourceOptions, first_row: int) -> Iterator[_TableRow]:
    """Item, face box (left, top, width, height), failure and word of each line of one csv."""
    part = _CSV_PARTS[table.name]
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as file, reading_csv(table):
        first = file.readline().split(",")
        has_header = len(first) != len(_ALL_COLUMNS) or not first[1].strip().isdecimal()
        file.seek(0)
        reader = csv.DictReader(file, fieldnames=None if has_header else _ALL_COLUMNS)
        missing = [name for name in _CSV_COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{shown(table)}: missing column {', '.join(missing)}", hint=f"Expected: {LOOKS_LIKE}.")
        for number, cells in enumerate(reader):
            where = f"{table.name}:{reader.line_num}"
            try:
                word = _word(int(cells["expression"]))
                left, top, width, height = (int(float(cells[name])) for name in _CSV_COLUMNS[1:5])
                picture = _inside(root, cells["subDirectory_filePath"])
            except (ValueError, TypeError) as error:
                yield None, (0, 0, 0, 0), Failure(where, str(error)), ""
                continue
            emotion = options.class_of(word)
            origin = shown(picture.relative_to(root))
            item = (
                SourceItem(first_row + number, where, emotion, part, file=picture, origin=origin) if emotion else None
            )
            yield item, (left, top, width, height), None, word


def _inside(root: Path, name: str) -> Path:
    # By name only: the pictures themselves are often links to another disk.
    plain = PurePosixPath(name.replace("\\", "/"))
    if plain.is_absolute() or ".." in plain.parts or ":" in name:
        raise ValueError(f"'{name[:60]}' lies outside the set's folder")
    return root / plain


def _read_face(item: SourceItem, box: tuple[int, int, int, int], decode: Decode) -> SourceBatch:
    left, top, width, height = box
    try:
        image = decode(read_file(item.file), name=item.where)
    except MediaError as error:
        return SourceBatch(failures=(Failure(item.where, error.message),))
    face = image[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    if not face.size:
        return SourceBatch(failures=(Failure(item.where, f"the face box {box} lies outside the image"),))
    # The face is a part of the file, so the file itself does not stand for it any more.
    cut = replace(item, file=None)
    return SourceBatch((cut,), (np.ascontiguousarray(face),))
