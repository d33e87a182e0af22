"""Files that are whole or old, never half: temporary name, fsync, rename; and the names that ids are made of."""

import errno
import hashlib
import os
import re
import stat
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from fercli.core.errors import ProjectError

# More files than these are put on disk by one call for the whole system.
_SYNCED_ONE_BY_ONE = 32
# No file that fercli reads whole is larger: a million faces are a table of 400 MB.
MOST_BYTES = 4 * 2**30
_TEMPORARY = re.compile(r"\..*~[0-9a-f]{8}(\.[^.]*)?")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the place of `path` when the block ends well.

    The temporary name keeps the suffix of `path`, so that writers that go by it work.

    Raises:
        ProjectError: the disk is full, or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.stem}~{uuid4().hex[:8]}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync_file(temporary)
        temporary.replace(path)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


def sweep_temporaries(folder: Path, *, older_than_s: float = 0.0) -> None:
    """Delete what `replacing` left below `folder` when its process was killed.

    Without an age nobody may be writing there.
    """
    for path in folder.rglob(".*~*"):
        if _TEMPORARY.fullmatch(path.name) and time.time() - _changed_at(path) >= older_than_s:
            path.unlink(missing_ok=True)


def replace_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def replace_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8 with line feeds, whole or not at all."""
    replace_bytes(path, text.encode("utf-8"))


def write_synced(path: Path, data: bytes) -> None:
    """Write a file that nobody reads yet, and have it on disk.

    Raises:
        ProjectError: the disk is full, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise storage_error(error, path) from error


def sync_file(path: Path) -> None:
    """Have a file's contents on disk."""
    # Windows refuses fsync on a handle opened for reading only.
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_files(paths: Sequence[Path]) -> None:
    """Have the contents of many files on disk: a million crops are not a million calls where the system has one."""
    if len(paths) > _SYNCED_ONE_BY_ONE and hasattr(os, "sync"):
        os.sync()
        return
    for path in paths:
        sync_file(path)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk; Windows does so by itself."""
    if os.name == "nt" or not folder.is_dir():
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def storage_error(error: OSError, path: Path) -> ProjectError:
    """The clear form of an operating system's refusal to write `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ProjectError(
            f"disk full: could not write '{path}'", hint="Free some space and run the same command again."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ProjectError(f"could not write '{path}': {error.strerror}", hint="Check the folder's permissions.")
    return ProjectError(
        f"could not write '{path}': {error.strerror or error}", hint="Check the disk and run the command again."
    )


def is_plain(path: Path) -> bool:
    """Whether `path`, or what it links to, is a regular file: no folder, pipe or device."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def check_plain(path: Path) -> None:
    """Refuse what is no regular file, or a link out of the project that holds it, before it is opened.

    Raises:
        OSError: it is a folder, pipe, device or such a link, has over `MOST_BYTES`, or does not exist.
    """
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        root = next((folder for folder in path.absolute().parents if (folder / "fer.toml").is_file()), None)
        if root and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
            raise OSError(errno.ELOOP, "it is a link that leads out of the project", str(path))
        status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    if status.st_size > MOST_BYTES:
        raise OSError(errno.EFBIG, f"it has {status.st_size:,} bytes, over {MOST_BYTES:,}", str(path))


def read_text(path: Path, *, errors: str = "strict") -> str:
    """The text of a file of a project, UTF-8; see `check_plain`.

    Raises:
        OSError: it cannot or must not be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    check_plain(path)
    return path.read_text(encoding="utf-8", errors=errors)


def input_digest(path: Path) -> str:
    """Hexadecimal SHA-256 of a file that a result depends on; "missing" where there is none.

    Raises:
        ProjectError: it must not be read; see `check_plain`.
    """
    try:
        check_plain(path)
        return sha256_of(path)
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as error:
        raise ProjectError(f"'{path}' cannot be read: {error.strerror}", hint="Restore that file.") from error


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes.

    Raises:
        OSError: it cannot be read, or is a pipe or device.
    """
    if not is_plain(path) and path.exists():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def count_files(folder: Path) -> int:
    """How many files lie in `folder` and below; none where there is no such folder."""
    return sum(len(names) for _, _, names in os.walk(folder))


def slug(text: str) -> str:
    """`text` as a part of an id: letters, digits, `_` and `-` in lower case; "x" when nothing is left.

    Accents are dropped and other scripts written as their code points, so two names seldom meet.
    """
    plain = unicodedata.normalize("NFKD", text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    spelled = "".join(_spell(letter) for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9_]+", "-", spelled.lower()).strip("-") or "x"


def unused(name: str, taken: set[str]) -> str:
    """`name`, or `name-2`, `name-3`, ... whichever is not in `taken` yet."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _spell(letter: str) -> str:
    return letter if ord(letter) < 128 or not letter.isalnum() else f"u{ord(letter):x}"


def _changed_at(path: Path) -> float:
    # A file that has just taken its own name is none to sweep up.
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
