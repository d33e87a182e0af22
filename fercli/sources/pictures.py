"""Decode image files in batches, setting bad files aside one by one."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fercli.core.errors import InputError, MediaError
from fercli.core.kinds import PICTURE_SUFFIXES
from fercli.core.results import Failure
from fercli.sources.items import Decode, SourceBatch, SourceItem, shown

_BATCH = 64
_SYSTEM_FOLDERS = frozenset({"__MACOSX", ".ipynb_checkpoints"})


@dataclass(frozen=True)
class Found:
    """Picture files below a folder, sorted by their path, and the number of other files."""

    files: tuple[Path, ...]
    num_foreign: int


def find_pictures(folder: Path) -> Found:
    """All picture files below `folder`; hidden files and a system's own folders are not looked at."""
    files: list[Path] = []
    num_foreign = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SYSTEM_FOLDERS)
        for name in sorted(names):
            if name.startswith("."):
                continue
            if Path(name).suffix.lower() in PICTURE_SUFFIXES:
                files.append(Path(parent, name))
            else:
                num_foreign += 1
    return Found(tuple(sorted(files, key=lambda file: file.relative_to(folder).parts)), num_foreign)


def read_pictures(
    items: Iterable[SourceItem], decode: Decode, *, num_total: int | None = None, is_grey: bool = False
) -> Iterator[SourceBatch]:
    """Decode the file of each item; a file that cannot be decoded becomes a failure.

    Args:
        items: each with a `file`.
        decode: bytes to RGB.
        num_total: passed on in each batch.
        is_grey: give the luma plane (a published grey set that was stored as JPEG).
    """
    kept: list[SourceItem] = []
    images: list[np.ndarray] = []
    failures: list[Failure] = []
    for item in items:
        try:
            image = decode(read_file(item.file), name=item.where)
        except MediaError as error:
            failures.append(Failure(item.where, error.message))
            continue
        kept.append(item)
        images.append(image[:, :, 1] if is_grey else image)
        if len(kept) >= _BATCH:
            yield SourceBatch(tuple(kept), images, tuple(failures), num_total=num_total)
            kept, images, failures = [], [], []
    yield SourceBatch(tuple(kept), images, tuple(failures), num_total=num_total)


def read_file(path: Path | None) -> bytes:
    """The bytes of a picture file.

    Raises:
        MediaError: it is missing or cannot be read.
    """
    assert path is not None
    try:
        return path.read_bytes()
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}", hint="Unpack the dataset again.") from error


def folder_here(path: Path, source: str, looks_like: str) -> Path:
    """`path` when it is a folder.

    Raises:
        InputError: it is not there, or is a file.
    """
    if not path.is_dir():
        state = "is a file" if path.exists() else "does not exist"
        raise InputError(f"'{shown(path)}' {state}; {source} is a folder", hint=f"Expected: {looks_like}")
    return path
