"""Read class folders: <class>/*.jpg, or train|val|test/<class>/*.jpg (SCFED, SFERD and most sets on request)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fercli.core.errors import InputError
from fercli.core.names import FROM_FOLDER, composed, name_pattern
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
    """One item for each file, its part, class and subject from its folders or, if asked for, from its name.

    Raises:
        InputError: no file lies in a class folder, or a folder's name is no class of the project.
    """
    places = _places(root, [file.relative_to(root) for file in files], options)
    words = sorted({place.word for place in places if place.word})
    if not words:
        raise InputError(f"no images in class folders found in '{shown(root)}'", hint=f"Expected {LOOKS_LIKE}.")
    classes = {word: options.class_of(word) for word in words}
    unknown = [word for word in words if classes[word] is None]
    if unknown:
        hint = suggestion(unknown[0], options.emotions)
        more = "" if options.subject_from else " If the folders are people: --subject-from folder."
        raise InputError(
            f"'{shown(root)}': class folder '{unknown[0]}' is not a class of this project",
            hint=f"{hint} Or name its class: --map {unknown[0]}=CLASS.{more}",
        )
    pairs = [(file, place, classes[place.word]) for file, place in zip(files, places, strict=True) if place.word]
    items = []
    for row, (file, place, emotion) in enumerate(pairs):
        where = shown(file.relative_to(root))
        items.append(SourceItem(row, where, str(emotion), place.part, file=file, origin=where, subject=place.subject))
    return items


def coded_items(
    root: Path, files: Sequence[Path], words: Mapping[str, str], options: SourceOptions
) -> list[SourceItem]:
    """One item for each file in a folder that is called by a published code; others are not looked at.

    Args:
        root: the data set's folder.
        files: below it.
        words: code -> the data set's word for it.
        options: of the project; of a word that it lacks the emotion is empty.
    """
    items = []
    for row, file in enumerate(files):
        part, folders = _split_part(file.relative_to(root))
        if folders and (word := words.get(folders[0])):
            where = shown(file.relative_to(root))
            items.append(SourceItem(row, where, options.class_of(word) or "", part, file=file, origin=where))
    return items


@dataclass(frozen=True)
class _Place:
    """What the path of a picture tells; empty where it does not."""

    part: str = ""
    word: str = ""
    subject: str = ""


def _places(root: Path, paths: Sequence[Path], options: SourceOptions) -> list[_Place]:
    """Part, class word and subject of each relative path."""
    pattern = name_pattern(options.subject_from)
    split = [_split_part(path) for path in paths]
    swaps = options.subject_from == FROM_FOLDER and _has_subjects_first(
        root, [folders for _, folders in split], options
    )
    places = []
    for path, (part, folders) in zip(paths, split, strict=True):
        word = folders[0] if folders else ""
        subject = ""
        if options.subject_from == FROM_FOLDER:
            subject, word = (folders[0], folders[1]) if swaps else (folders[1], folders[0])
        elif pattern:
            subject, named = pattern.read(shown(Path(path.name)))
            word = named or word
        places.append(_Place(part, word, subject))
    return places


def _split_part(path: Path) -> tuple[str, list[str]]:
    """The part that the first folder names, and the other folders."""
    folders = [composed(shown(Path(name))) for name in path.parts[:-1]]
    if folders and folders[0].lower() in _PARTS:
        return _PARTS[folders[0].lower()], folders[1:]
    return "", folders


def _has_subjects_first(root: Path, folders: Sequence[Sequence[str]], options: SourceOptions) -> bool:
    """Whether it is subject/class/file, and not class/subject/file.

    Raises:
        InputError: it is neither, or could be both.
    """
    if any(len(names) < 2 for names in folders):
        hint = "Expected class/subject/file or subject/class/file; for names use --subject-from name PATTERN."
        raise InputError(f"'{shown(root)}': pictures lie in one folder, so none of them can be a subject", hint=hint)
    has_classes = [all(options.class_of(names[place]) for names in folders) for place in (0, 1)]
    if has_classes[0] == has_classes[1]:
        state = "are both" if has_classes[0] else "are neither of them"
        hint = "One of the two must hold classes only; name others with --map WORD=CLASS."
        raise InputError(f"'{shown(root)}': the folders of the first and the second level {state} classes", hint=hint)
    return has_classes[1]
