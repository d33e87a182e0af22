"""Resolve the paths in a project's tables and settings; none may lead out of the project.

A project may come from somebody else, or have been edited: what a table names is opened only if it is a regular file
of the project. A link may lead out only below videos/ and images/, to the very file that `fer add --link` has recorded.
"""

import csv
import dataclasses
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from fercli.core.commit import RECORD, CommitRecord, is_below, linked_folder, read_record
from fercli.core.digests import FileDigests
from fercli.core.errors import FerError, TableError
from fercli.core.files import is_plain
from fercli.core.rows import Frame, Link, Video
from fercli.core.tables import opened_table, read_table

LINKS = "manifests/links.csv"
# Where `fer add --link` makes links.
_LINKED = ("videos", "images")
# Columns that name files, or that names of files are made of.
_NAMES = frozenset({"video_id", "frame_id", "face_id", "path"})
_OUTSIDE = re.compile(r"(?:^|/)\.\.(?:/|$)|^/|^[^/\n]*:|[\\\0]", re.MULTILINE)
_HINT = "Correct or restore that line."
# Folders that a project has of its own; what lies in them is written and deleted.
_OWN = (
    ".fer", ".fer/cache", ".fer/commit", ".fer/running", ".fer/stages", "videos", "images", "frames", "faces", "labels",
    "labels/imports", "manifests", "manifests/splits", "runs", "reports", "exports", "exports/predict",
)  # fmt: skip


def leads_out(place: str) -> bool:
    """Whether a name that a table holds could mean something outside the project, on any system."""
    return _OUTSIDE.search(place) is not None or "\n" in place


def check_names(path: Path, rows: Sequence[Any]) -> None:
    """Refuse a table that names a file outside the project, or holds an id from which such a name would be made.

    Raises:
        TableError: with the line.
    """
    if not rows:
        return
    for name in (column.name for column in dataclasses.fields(rows[0]) if column.name in _NAMES):
        values = [getattr(row, name) for row in rows]
        if not _OUTSIDE.search("\n".join(values)):
            continue
        for value in filter(leads_out, values):
            kind = "path" if name == "path" else f"{name}"
            raise TableError(f"{line_of(path, name, value)}: {kind} {value!r} leads out of the project", hint=_HINT)


def line_of(path: Path, column: str, value: str) -> str:
    """A table and the line whose `column` holds `value`, as `faces.csv:12`; the table alone where there is none."""
    try:
        with opened_table(path) as file:
            reader = csv.reader(file)
            place = next(reader, []).index(column)
            for cells in reader:
                if len(cells) > place and value in (cells[place], cells[place].partition("#")[0]):
                    return f"{path}:{reader.line_num}"
    except (FerError, ValueError):
        pass
    return str(path)


def check_folders(root: Path) -> None:
    """Refuse a project whose own folders are links that lead out of it: what is written there would land elsewhere.

    Raises:
        ProjectError: with the folder.
    """
    for name in _OWN:
        folder = root / name
        if folder.is_symlink() and not folder.resolve().is_relative_to(root.resolve()):
            raise linked_folder(name)


class Places:
    """Names to files of one project; what it has seen of folders and links it remembers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._top = os.path.realpath(root)
        self._prefix = f"{root}{os.sep}"
        self._record_path = self._prefix + RECORD
        self._folders: set[str] = set()
        self._trusted: set[tuple[str, str]] = set()
        self._record: tuple[object, CommitRecord] = (None, CommitRecord())

    def inside(self, place: str, table: str = "") -> Path:
        """Where the file lies that a table names; still in its waiting place while a commit is half applied.

        Args:
            place: relative, POSIX; there need be no such file.
            table: the table in manifests/ that names it, such as "faces.csv", for the error.

        Raises:
            TableError: it is absolute, holds "..", is no regular file, or a link leads out of the project, save one
                that `fer add --link` made under videos/ or images/.
        """
        return Path(self.file_of(place, table))

    def file_of(self, place: str, table: str = "") -> str:
        """The path that `inside` gives as text: objects made of a million names would take longer than all else."""
        if not place or leads_out(place):
            raise self._refusal(place, table, "leads out of the project")
        waiting = self._waiting(place)
        path, folder = self._prefix + waiting, waiting.rpartition("/")[0]
        if folder not in self._folders:
            if not is_below(os.path.realpath(self._prefix + folder), self._top):
                raise self._refusal(place, table, "leads out of the project")
            self._folders.add(folder)
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            return path
        if stat.S_ISLNK(mode):
            self._check_link(Path(path), place, table)
            try:
                mode = os.stat(path).st_mode  # noqa: PTH116
            except OSError:
                return path
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise self._refusal(place, table, "is not a regular file")
        return path

    def _waiting(self, place: str) -> str:
        """Where the contents of a place lie now; see `current_path`, which would read the record for every file."""
        try:
            status = os.stat(self._record_path)  # noqa: PTH116
        except OSError:
            return place
        looks = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._record[0] != looks:
            self._record = (looks, read_record(self.root))
        record = self._record[1]
        if not record.is_pending:
            return place
        candidates = [record.exchanges[place]] if place in record.exchanges else []
        candidates += [f"{folder}/{place}" for folder in record.folders]
        return next((one for one in candidates if os.path.lexists(self._prefix + one)), place)

    def changed_videos(self, videos: Iterable[Video]) -> list[str]:
        """The ids of those of these videos whose file has other bytes than when it was added.

        Raises:
            TableError: as `inside`.
        """
        with FileDigests(self.root) as digests:
            return [
                video.video_id
                for video in videos
                if video.sha256
                and (path := self.inside(video.path, "videos.csv")).is_file()
                and (path.stat().st_size != video.bytes or digests.sha256(path) != video.sha256)
            ]

    def _check_link(self, path: Path, place: str, table: str) -> None:
        target = os.path.realpath(path)
        if is_below(target, self._top) or (place, target) in self._trusted:
            return
        if place.split("/")[0] not in _LINKED:
            raise self._refusal(place, table, "leads out of the project")
        if Path(target).exists() and not self._is_recorded(path, place, target):
            raise self._refusal(place, table, "is a link to a file that was not added, or that has changed since")
        self._trusted.add((place, target))

    def _is_recorded(self, path: Path, place: str, target: str) -> bool:
        """Whether `fer add --link` made this link to a file of just these bytes; what it knows by now, it may show."""
        if not is_plain(Path(target)):
            return False
        num_bytes, link = Path(target).stat().st_size, self.links.get(place)
        with FileDigests(self.root) as digests:
            if link is None:
                return self._is_old_link(place, target, digests)
            is_same = os.path.realpath(link.target) == target and link.bytes == num_bytes
            return is_same and digests.sha256(target) == link.sha256

    def _is_old_link(self, place: str, target: str, digests: FileDigests) -> bool:
        """Whether it is a link of a version that kept no list of them: the table of videos has the digest."""
        videos = self._rows("manifests/videos.csv", Video)
        if any(video.path == place for video in videos):
            alike = [video for video in videos if video.path == place and video.bytes == Path(target).stat().st_size]
            return any(digests.sha256(target) == video.sha256 for video in alike)
        video = next((video for video in videos if place.startswith(f"{video.path}/")), None)
        if video is None:
            return False
        frames = self._rows("manifests/frames.csv", Frame)
        files = [frame.path for frame in frames if frame.path.startswith(f"{video.path}/")]
        paths = [self.root / file for file in files if is_plain(self.root / file)]
        # Nothing is read whose size tells already that it was never added.
        if sum(path.stat().st_size for path in paths) != video.bytes:
            return False
        return bool(digest_of_all(map(digests.sha256, paths)) == video.sha256)

    @cached_property
    def links(self) -> dict[str, Link]:
        """What `fer add --link` has recorded, by the links' paths."""
        return {link.path: link for link in self._rows(LINKS, Link)}

    def _rows(self, table: str, row_type: type[Any]) -> list[Any]:
        path = self.root / self._waiting(table)
        rows = read_table(path, row_type) if path.exists() else []
        check_names(path, rows)
        return rows

    def _refusal(self, place: str, table: str, problem: str) -> TableError:
        where = f"{line_of(self.root / 'manifests' / table, 'path', place)}: " if table else ""
        return TableError(f"{where}path {place!r} {problem}", hint=_HINT)


def digests_of(places: Places, names: Iterable[str], table: str = "") -> dict[str, str]:
    """SHA-256 of the bytes of files of a project, by their names; "missing" where there is none.

    Raises:
        TableError: as `Places.inside`.
    """
    with FileDigests(places.root) as digests:
        return {name: digests.sha256(places.file_of(name, table)) for name in sorted(set(names) - {""})}


def are_same(root: Path, digests: Mapping[str, str]) -> bool:
    """Whether these files of a project have these digests still."""
    places = Places(root)
    with FileDigests(root) as now, suppress(TableError):  # a record that names what is outside was tampered with
        return all(now.sha256(places.file_of(name)) == digest for name, digest in digests.items())
    return False


def digest_of_all(digests: Iterable[str]) -> str:
    """One digest for the images of a folder, as the table of videos holds it."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
