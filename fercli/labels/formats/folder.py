"""Votes given by sorting pictures into folders: annotator/class/file, or class/file of one annotator."""

from collections import defaultdict
from pathlib import Path

from fercli.core.errors import InputError
from fercli.core.words import counted
from fercli.labels.formats.rawvotes import RawVote, RawVotes

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff"})


def read_folder(path: Path, *, annotator: str = "") -> RawVotes:
    """Read votes from a tree of folders; a picture in two classes of one annotator is a conflict.

    Args:
        path: the folder.
        annotator: who sorted, for class/file.

    Raises:
        InputError: the folder is missing or empty, pictures lie at different depths, class/file without `annotator`.
    """
    if not path.is_dir():
        raise InputError(f"{path}: not a folder", hint="Use a folder with one subfolder per class.")
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    pictures = [file.relative_to(path).parts for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
    depth = _only_depth(path, {len(parts) for parts in pictures})
    if depth == 2 and not annotator:
        raise InputError(
            f"{path}: unknown annotator: class folders do not name one", hint="Set the annotator with --annotator."
        )
    words: dict[tuple[str, str], list[str]] = defaultdict(list)
    for parts in pictures:
        words[parts[0] if depth == 3 else annotator, parts[-1]].append(parts[-2])
    votes = [RawVote(name, who, found[0]) for (who, name), found in words.items() if len(found) == 1]
    conflicts = [f"{name} ({who}): {', '.join(found)}" for (who, name), found in words.items() if len(found) > 1]
    num_foreign = len(files) - len(pictures)
    notes = [f"{path.name}: skipped {counted(num_foreign, 'non-image file')}"] if num_foreign else []
    reason = "folders annotator/class/file" if depth == 3 else "folders class/file"
    return RawVotes("folder", reason, votes, conflicts=conflicts, notes=notes)


def _only_depth(path: Path, depths: set[int]) -> int:
    if not depths:
        raise InputError(f"{path}: no images found", hint="Expected annotator/class/file or class/file.")
    if len(depths) > 1 or not depths <= {2, 3}:
        raise InputError(f"{path}: images are at different depths or too deep", hint="Expected annotator/class/file.")
    return depths.pop()
