"""Class folders to items: <class>/*.jpg, or train|val|test/<class>/*.jpg (SCFED, SFERD and most sets on request)."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from fercli.core.errors import InputError
from fercli.core.settings import suggestion
from fercli.sources.items import Decode, Roles, SourceBatch, SourceItem, SourceOptions, shown
from fercli.sources.pictures import find_pictures, folder_here, read_pictures

LOOKS_LIKE = "<class>/*.jpg, or train/<class>/*.jpg, val/<class>/*.jpg, test/<class>/*.jpg"
# Published sizes: train, val, test of SCFED; SFERD has no published split.
PUBLISHED_SCFED = {"train": 28_979, "val": 3_619, "test": 3_628}
PUBLISHED_SFERD = {"": 1_401}
_PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


def read_folder(path: Path, options: SourceOptions, decode: Decode) -> Iterator[SourceBatch]:
    """Read class folders; train, val and test folders above them are respected.

    Raises:
        InputError: `path` is no folder, holds no pictures, or has a class folder that the project does not know.
    """
    folder_here(path, "a set of class folders", LOOKS_LIKE)
    found = find_pictures(path)
    items = class_items(path, found.files, options)
    yield SourceBatch(num_foreign=found.num_foreign, num_total=len(items))
    yield from read_pictures(items, decode, num_total=len(items))


def folder_roles(parts: Collection[str]) -> Roles:
    """Folders mean the split they are named after."""
    return {"train": "train", "val": "val", "test": "test"}


def class_items(root: Path, files: Sequence[Path], options: SourceOptions) -> list[SourceItem]:
    """One item for each file, its class and part from the folders that it lies in.

    Raises:
        InputError: no file lies in a class folder, or a folder's name is no class of the project.
    """
    places = [_place(file.relative_to(root)) for file in files]
    words = sorted({word for _, word in places if word})
    if not words:
        raise InputError(f"no images in class folders found in '{shown(root)}'", hint=f"Expected {LOOKS_LIKE}.")
    classes = {word: options.class_of(word) for word in words}
    unknown = [word for word in words if classes[word] is None]
    if unknown:
        hint = suggestion(unknown[0], options.emotions)
        raise InputError(
            f"'{shown(root)}': class folder '{unknown[0]}' is not a class of this project",
            hint=f"{hint} Or add it under [labels.aliases] in fer.toml.",
        )
    pairs = [(file, part, classes[word]) for file, (part, word) in zip(files, places, strict=True) if word]
    return [
        SourceItem(row, shown(file.relative_to(root)), str(emotion), part, file=file)
        for row, (file, part, emotion) in enumerate(pairs)
    ]


def _place(path: Path) -> tuple[str, str]:
    """Part and class word of a picture's relative path; the class is empty for a picture outside class folders."""
    folders = path.parts[:-1]
    if folders and folders[0].lower() in _PARTS:
        return _PARTS[folders[0].lower()], shown(Path(folders[1])) if len(folders) > 1 else ""
    return "", shown(Path(folders[0])) if folders else ""
