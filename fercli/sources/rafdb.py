"""Read RAF-DB's basic set (EmoLabel/list_patition_label.txt, Image/aligned).

Source: Li, Deng and Du, Reliable Crowdsourcing and Deep Locality-Preserving Learning, CVPR 2017.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from fercli.core.emotions import PRESETS
from fercli.core.errors import InputError
from fercli.core.results import Failure
from fercli.sources.folder import coded_items
from fercli.sources.items import Decode, Roles, SourceBatch, SourceItem, SourceOptions, shown
from fercli.sources.pictures import find_pictures, folder_here, read_pictures

EMOTIONS = PRESETS["raf-db"]
PUBLISHED = {"train": 12_271, "test": 3_068}
# The spelling is the publishers'.
LABELS = "EmoLabel/list_patition_label.txt"
LOOKS_LIKE = f"{LABELS} and Image/aligned/train_00001_aligned.jpg, or train/1..7/*.jpg and test/1..7/*.jpg"


def read_rafdb(path: Path, options: SourceOptions, decode: Decode) -> Iterator[SourceBatch]:
    """Read the label list and the aligned picture of each line, or folders called by the codes.

    `path` is RAF-DB's folder, its `basic` folder, or what Kaggle calls DATASET.

    Raises:
        InputError: the list or the pictures are not there, or no line can be read.
    """
    if coded := _coded_root(folder_here(path, "RAF-DB", LOOKS_LIKE)):
        found = find_pictures(coded)
        by_code = {str(code): emotion for code, emotion in enumerate(EMOTIONS, start=1)}
        items = coded_items(coded, found.files, by_code, options)
        yield SourceBatch(num_foreign=found.num_foreign, num_total=len(items))
        yield from read_pictures(items, decode, num_total=len(items))
        return
    root = _find_root(path)
    items, failures = _read_list(root, options)
    if not items:
        reason = f": {failures[0].reason}" if failures else ": it is empty"
        raise InputError(f"{shown(root / LABELS)}: no line can be read{reason}", hint=f"Expected: {LOOKS_LIKE}.")
    yield SourceBatch(failures=tuple(failures), num_total=len(items))
    yield from read_pictures(items, decode, num_total=len(items))


def rafdb_roles(parts: Collection[str]) -> Roles:
    """RAF-DB publishes train and test."""
    return {"train": "train", "test": "test"}


def _coded_root(path: Path) -> Path | None:
    return next((root for root in (path, path / "DATASET") if (root / "train" / "1").is_dir()), None)


def _find_root(path: Path) -> Path:
    for root in (path, path / "basic"):
        if (root / LABELS).is_file():
            return root
    raise InputError(f"no RAF-DB data found in '{shown(path)}': {LABELS} is missing", hint=f"Expected: {LOOKS_LIKE}.")


def _read_list(root: Path, options: SourceOptions) -> tuple[list[SourceItem], list[Failure]]:
    items: list[SourceItem] = []
    failures: list[Failure] = []
    text = (root / LABELS).read_text(encoding="utf-8-sig", errors="replace")
    for row, line in enumerate(text.splitlines()):
        if not line.strip():
            continue
        try:
            items.append(_read_line(line, row, root, options))
        except ValueError as error:
            failures.append(Failure(f"{Path(LABELS).name}:{row + 1}", str(error)))
    return items, failures


def _read_line(line: str, row: int, root: Path, options: SourceOptions) -> SourceItem:
    words = line.split()
    if len(words) != 2:
        raise ValueError(f"'{line.strip()[:40]}' is not a file name and a code")
    name, code = words
    part = name.partition("_")[0]
    if part not in PUBLISHED or Path(name).name != name:
        raise ValueError(f"'{name[:40]}' does not begin with train_ or test_")
    if code not in {str(known) for known in range(1, len(EMOTIONS) + 1)}:
        raise ValueError(f"emotion code '{code[:20]}' is not 1..{len(EMOTIONS)}")
    emotion = options.class_of(EMOTIONS[int(code) - 1])
    assert emotion is not None  # the registry has checked that the project knows all classes
    file = root / "Image" / "aligned" / f"{Path(name).stem}_aligned{Path(name).suffix}"
    where = shown(file.relative_to(root))
    return SourceItem(row, where, emotion, part, file=file, origin=where)
