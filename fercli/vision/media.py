"""List the videos and images that the paths on a command line mean."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fercli.core.digests import FileDigests
from fercli.core.errors import InputError
from fercli.core.kinds import kind_of

# What a project makes itself; `fer add .` inside one must not take it for new.
_MOST_NAMED = 8
_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]+:[/\\]", re.IGNORECASE)
_OWN_FOLDERS = ("frames", "faces", "images", "labels", "manifests", "runs", "reports", "exports", ".fer")


@dataclass(frozen=True)
class Listing:
    """The files below the named paths.

    Attributes:
        named: files that were named themselves.
        folders: each folder below the named ones that holds files, with these, sorted.
        missing: named paths that do not exist, and links that lead nowhere.
        facts: path, size and time of change of each file, to see at a glance whether anything changed.
    """

    named: tuple[Path, ...]
    folders: tuple[tuple[Path, tuple[Path, ...]], ...]
    missing: tuple[Path, ...]
    facts: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class MediaItem:
    """One video, or the pictures of one folder.

    Attributes:
        name: what its id is made from and messages call it.
        key: name of the item in the journal; changes when a file changes.
    """

    name: str
    files: tuple[Path, ...]
    is_pictures: bool
    key: str


@dataclass
class Media:
    """Items in the order of the paths, and how many files were neither video nor picture, by their suffix."""

    items: list[MediaItem] = field(default_factory=list)
    foreign: Counter[str] = field(default_factory=Counter)

    @property
    def num_foreign(self) -> int:
        """How many files were passed over."""
        return self.foreign.total()

    def passed_over(self) -> str:
        """What was passed over, with counts: "3 .txt, 1 without suffix"."""
        words = [f"{number:,} {suffix or 'without suffix'}" for suffix, number in self.foreign.most_common(_MOST_NAMED)]
        return ", ".join(words) + (", ..." if len(self.foreign) > _MOST_NAMED else "")


def list_files(paths: Sequence[Path], project_root: Path, *, skip_own: bool = True) -> Listing:
    """List what the paths name; folders with all below them, linked folders once, but nothing hidden.

    Args:
        paths: files and folders.
        project_root: of the project.
        skip_own: pass over the folders that the project made.

    Raises:
        InputError: a path is an address on a network.
    """
    named, folders, missing = [], [], []
    own = {project_root / name for name in _OWN_FOLDERS} if skip_own else set()
    for path in paths:
        if _ADDRESS.match(str(path)) and not path.exists():
            scheme = str(path).partition(":")[0]
            raise InputError(
                f"'{shown(path)}' is an address ({scheme})", hint="Download or record it, and add the file."
            )
        if path.is_dir():
            more, broken = _walk(path.resolve(), own)
            folders += more
            missing += broken
        elif path.is_file():
            named.append(path)
        else:
            missing.append(path)
    every = [*named, *(file for _, files in folders for file in files)]
    return Listing(tuple(named), tuple(folders), tuple(missing), tuple(_fact(file, project_root) for file in every))


def content_of(listing: Listing, project_root: Path) -> list[tuple[str, str]]:
    """Each file below the named paths with the SHA-256 of its bytes, sorted as listed.

    A file that looks as it did when it was read last is not read; see `core/digests.py`.
    """
    files = [*listing.named, *(file for _, files in listing.folders for file in files)]
    with FileDigests(project_root) as digests:
        names = [name for name, _, _ in listing.facts]
        return [(name, digests.sha256(file.resolve())) for name, file in zip(names, files, strict=True)]


def find_media(listing: Listing) -> Media:
    """Tell videos and pictures by their contents; a file that was named itself is a video unless it tells otherwise."""
    media = Media()
    for file in listing.named:
        kind = kind_of(file)
        if kind == "text":
            media.foreign[file.suffix.lower()] += 1
            continue
        is_picture = kind == "picture"
        media.items.append(_item(shown(Path(file.stem if is_picture else file.name)), (file,), is_pictures=is_picture))
    for folder, files in listing.folders:
        kinds = {file: kind_of(file) for file in files}
        pictures = tuple(file for file in files if kinds[file] == "picture")
        videos = [file for file in files if kinds[file] == "video"]
        media.items += [_item(shown(Path(file.name)), (file,), is_pictures=False) for file in videos]
        if pictures:
            media.items.append(_item(shown(Path(folder.name)), pictures, is_pictures=True))
        media.foreign.update(file.suffix.lower() for file in files if kinds[file] in ("text", "unknown"))
    return media


def shown(path: Path) -> str:
    """`path` as text that any stream can take: bytes of the name that are not UTF-8 are shown in hexadecimal."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def _walk(top: Path, own: set[Path]) -> tuple[list[tuple[Path, tuple[Path, ...]]], list[Path]]:
    """The folders that hold files, and the links that lead nowhere."""
    found, broken, seen = [], [], set[Path]()
    for parent, folders, names in os.walk(top, followlinks=True):
        if (real := Path(parent).resolve()) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and Path(parent, name) not in own)
        visible = [Path(parent, name) for name in sorted(names, key=os.fsencode) if not name.startswith(".")]
        files = tuple(file for file in visible if file.is_file())
        broken += [file for file in visible if file.is_symlink() and not file.exists()]
        if files:
            found.append((Path(parent), files))
    return found, broken


def _fact(file: Path, root: Path | None = None) -> tuple[str, int, int]:
    """Path, size and time of change; a path within `root` is relative, so that a project can be moved."""
    status, place = file.stat(), file.resolve()
    if root and place.is_relative_to(root):
        place = place.relative_to(root)
    return shown(place), status.st_size, status.st_mtime_ns


def _item(name: str, files: tuple[Path, ...], *, is_pictures: bool) -> MediaItem:
    facts = "\n".join(f"{name} {size} {time}" for name, size, time in map(_fact, files))
    return MediaItem(name, files, is_pictures, hashlib.sha256(facts.encode()).hexdigest()[:20])
