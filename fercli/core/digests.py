"""Compute and remember the SHA-256 of files, as git remembers its index: a file that looks untouched is not read.

What is remembered lies in .fer/cache and can be deleted at any time. A file is read again when its size, inode, time of
change or time of status differ, so that a mere `touch` costs one reading and changes no digest.
"""

import hashlib
import json
import os
import stat
import time
from contextlib import suppress
from pathlib import Path

from fercli.core.errors import FerError
from fercli.core.files import read_text, replace_text, sha256_of

_CACHE = ".fer/cache/digests.json"
MISSING = "missing"
# A file that was written so shortly before it was read may have been written again within the same tick of its clock.
_TOO_YOUNG_NS = 2_000_000_000
# Less than this is read again sooner than a cache is written.
_FEW_FILES, _FEW_BYTES = 500, 16 * 2**20
# size, time of change, time of status, inode, SHA-256
_Entry = list[int | str]


class FileDigests:
    """Digests of the files of one project, or of others that it looks at.

    Use as a context manager, at whose end what was learnt is kept, where the project can be written.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / _CACHE
        self._root = str(root) + os.sep
        self._known: dict[str, _Entry] | None = None
        self._num_files = self._num_bytes = 0

    def __enter__(self) -> "FileDigests":
        return self

    def __exit__(self, *_: object) -> None:
        self.keep()

    def sha256(self, path: Path | str) -> str:
        """Hexadecimal SHA-256 of a file; "missing" where there is none, or none that can be read."""
        path = str(path)
        try:
            # Paths made of a million names would take longer than all else.
            status = os.stat(path)  # noqa: PTH116
            if not stat.S_ISREG(status.st_mode):
                return MISSING
            looks: _Entry = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
            entry = self._entries().get(name := self._name(path))
            if entry is not None and entry[:4] == looks:
                return str(entry[4])
            begun_ns = time.time_ns()
            digest = sha256_of(Path(path))
        except (OSError, ValueError):
            return MISSING
        self._num_files += 1
        self._num_bytes += status.st_size
        if begun_ns - max(status.st_mtime_ns, status.st_ctime_ns) > _TOO_YOUNG_NS:
            self._entries()[name] = [*looks, digest]
        return digest

    def keep(self) -> None:
        """Write down what was learnt, if it would take long to learn it again."""
        if self._num_files < _FEW_FILES and self._num_bytes < _FEW_BYTES:
            return
        with suppress(FerError):  # a project on a read-only disk
            replace_text(self._path, json.dumps(self._known, separators=(",", ":")))
            self._num_files = self._num_bytes = 0

    def _entries(self) -> dict[str, _Entry]:
        if self._known is None:
            self._known = _read(self._path)
        return self._known

    def _name(self, path: str) -> str:
        """A path in the project as it is there; of another file, whose name may be a person's, a digest."""
        if path.startswith(self._root):
            return path[len(self._root) :]
        return "#" + hashlib.sha256(os.fsencode(path)).hexdigest()[:24]


def _read(path: Path) -> dict[str, _Entry]:
    try:
        known = json.loads(read_text(path))
    except (OSError, ValueError):
        return {}
    is_whole = isinstance(known, dict) and all(isinstance(one, list) and len(one) == 5 for one in known.values())
    return known if is_whole else {}
