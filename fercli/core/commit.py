"""Everything that one command changes, all at once: old before, new after, whenever it is killed.

New contents wait below .fer/; one record, .fer/commit.json, says which place each of them takes. Once the record is on
disk the commit has happened: whoever writes next finishes it, and whoever reads meanwhile reads through it.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from fercli.core.errors import ProjectError
from fercli.core.files import (
    input_digest,
    read_text,
    sha256_of,
    storage_error,
    sync_file,
    sync_files,
    sync_folder,
    write_synced,
)
from fercli.core.results import StageResult
from fercli.core.tables import table_text

T = TypeVar("T")
RECORD, ROOM, LOG = ".fer/commit.json", ".fer/commit", ".fer/journal.jsonl"
_RETRIES, _PAUSE_S = 50, 0.1
# Where the last line of the log is looked for.
_LOG_TAIL_BYTES = 2**16


@dataclass(frozen=True)
class CommitRecord:
    """What .fer/commit.json holds.

    Attributes:
        number: rises with each commit.
        exchanges: the file that waits for each place; both relative to the project.
        folders: folders of waiting files, each of which takes the same relative place in the project.
        deletions: files that go.
        log: the line for the project's log; empty once everything has taken its place.
        sizes: bytes of what each place gets by an exchange, to miss a waiting file that somebody took away.
    """

    number: int = 0
    exchanges: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    deletions: list[str] = field(default_factory=list)
    log: dict[str, Any] = field(default_factory=dict)  # JSON
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def is_pending(self) -> bool:
        """Whether something may still wait for its place."""
        return bool(self.exchanges or self.folders or self.deletions or self.log)


class Commit:
    """What a command is about to change; nothing of it can be seen before `finish`.

    Attributes:
        items: what the stage has done, id -> key, to be remembered with its result.
        words: what the log says in place of the arguments, where only the work knows: it names nobody.
        kept: what is remembered in place of the result, where that names somebody.
        reads: the files that the result was made from or consists of, by their places, with their SHA-256; while one
            of them has other bytes, the result does not stand.
    """

    def __init__(self, root: Path, tables: Mapping[type[Any], str] | None = None, classes: Sequence[str] = ()) -> None:
        self.root = root
        self.items: dict[str, str] = {}
        self.words: list[str] = []
        self.kept: StageResult | None = None
        self.reads: dict[str, str] = {}
        self._tables = dict(tables or {})
        self._classes = classes
        self.exchanges: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self.folders: list[str] = []
        self.deletions: list[str] = []
        self.line: dict[str, Any] = {}  # JSON

    def table(self, rows: Iterable[Any], row_type: type[Any], path: Path | None = None) -> str:
        """Replace the project's table of these rows, or the table at `path`; its place in the project comes back."""
        place = path or self.root / self._tables[row_type]
        return self.text(place, table_text(rows, row_type, self._classes))

    def text(self, path: Path, text: str) -> str:
        """Replace a text file, UTF-8 with line feeds; its place relative to the project comes back."""
        return self.data(path, text.encode("utf-8"))

    def data(self, path: Path, data: bytes) -> str:
        """Replace a file, unless it holds these bytes; its place relative to the project comes back."""
        place = path.relative_to(self.root).as_posix()
        self.deletions = [one for one in self.deletions if one != place]
        if place not in self.exchanges and path.is_file() and _holds(path, data):
            return place
        waiting = self.exchanges.get(place) or f"{ROOM}/{len(self.exchanges)}"
        write_synced(self.root / waiting, data)
        return self._exchange(place, waiting)

    def file(self, waiting: Path, path: Path) -> str:
        """Put a file that lies elsewhere in the project into its place, which comes back relative to the project."""
        with _told(waiting):
            sync_file(waiting)
        place = path.relative_to(self.root).as_posix()
        return self._exchange(place, waiting.relative_to(self.root).as_posix())

    def folder(self, waiting: Path) -> None:
        """Put every file below `waiting` at the same relative place in the project; the folder is gone then."""
        if not waiting.is_dir():
            return
        with _told(waiting):
            sync_files([path for path in waiting.rglob("*") if path.is_file() and not path.is_symlink()])
        self.folders.append(waiting.relative_to(self.root).as_posix())

    def delete(self, path: Path) -> None:
        """Take a file, or a folder with all in it, away, after all others have their places."""
        self.deletions.append(path.relative_to(self.root).as_posix())

    def log(
        self, stage: str, settings: Mapping[str, Any], counts: Mapping[str, Any], words: Iterable[str] = ()
    ) -> None:
        """Set the line that tells of this commit in the project's log.

        Args:
            stage: the name under which it is remembered.
            settings: as JSON has them.
            counts: of the result.
            words: what stood on the command line beside the options.
        """
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        self.line = {"time": moment, "stage": stage, "settings": dict(settings), "counts": dict(counts)}
        if words := list(words):
            self.line["arguments"] = words

    def sha256(self, path: Path) -> str:
        """Hexadecimal SHA-256 of a file as it will be; "missing" where there will be none."""
        place = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else ""
        waiting = self.exchanges.get(place)
        if waiting:
            return sha256_of(self.root / waiting)
        return "missing" if place in self.deletions else input_digest(path)

    def count_files(self, folder: Path) -> int:
        """How many files will lie in `folder` and below."""
        inside = f"{folder.relative_to(self.root).as_posix()}/"
        there = set(_files_below(folder, self.root))
        there |= {place for place in self.exchanges if place.startswith(inside)}
        for waiting in (self.root / name for name in self.folders):
            there |= {place for place in _files_below(waiting, waiting) if place.startswith(inside)}
        return len(there - set(self.deletions))

    @property
    def has_changes(self) -> bool:
        """Whether any file will be another than before."""
        return bool(self.exchanges or self.folders or self.deletions)

    def finish(self) -> None:
        """Make it happen: the record, then every file in its place, deletions, the line of the log.

        Raises:
            ProjectError: the disk is full or cannot be written; before the record, nothing has changed then.
        """
        if not (self.has_changes or self.line):
            return
        last = read_record(self.root)
        deletions = [place for place in self.deletions if place not in self.exchanges]
        record = CommitRecord(last.number + 1, self.exchanges, self.folders, deletions, self.line, self.sizes)
        check_targets(self.root, _places_of(self.root, record))
        with _told(self.root / RECORD):
            sync_folder(self.root / ROOM)
            _write_record(self.root, record)
            apply(self.root, record)

    def undo(self) -> None:
        """Forget what was prepared, unless the record says that it has happened."""
        if not read_record(self.root).is_pending:
            shutil.rmtree(self.root / ROOM, ignore_errors=True)

    def _exchange(self, place: str, waiting: str) -> str:
        self.exchanges[place] = waiting
        self.sizes[place] = (self.root / waiting).stat().st_size
        return place


def check_targets(root: Path, places: Iterable[str]) -> None:
    """Refuse to write or delete where a folder on the way is a link that leads out of the project.

    Raises:
        ProjectError: with the folder.
    """
    top = os.path.realpath(root)
    for folder in sorted({place.rpartition("/")[0] for place in places} - {""}):
        if not is_below(os.path.realpath(root / folder), top):
            raise linked_folder(folder)


def linked_folder(name: str) -> ProjectError:
    """The refusal of a folder that would let what is written land elsewhere."""
    return ProjectError(
        f"the folder '{name}' leads out of the project: it is a link",
        hint="Move the folder into the project, or move the whole project to where the link leads.",
    )


def is_below(path: str, top: str) -> bool:
    """Whether one real path is the other, or lies below it."""
    return path == top or path.startswith(top.rstrip(os.sep) + os.sep)


def finish_pending(root: Path) -> None:
    """Finish what a killed writer has committed, and sweep up what it had only prepared; call it under the lock."""
    record = read_record(root)
    if record.is_pending:
        apply(root, record)
    shutil.rmtree(root / ROOM, ignore_errors=True)


def apply(root: Path, record: CommitRecord) -> None:
    """Put everything into its place; doing it again changes nothing."""
    check_targets(root, _places_of(root, record))
    touched = set()
    for place, waiting in record.exchanges.items():
        touched.add(_replace(root / waiting, root / place))
        _miss(root / place, record.sizes.get(place), root)
    for folder in record.folders:
        for place in list(_files_below(root / folder, root / folder)):
            touched.add(_replace(root / folder / place, root / place))
        shutil.rmtree(root / folder, ignore_errors=True)
    for place in record.deletions:
        path = root / place
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        touched.add(path.parent)
    for changed in sorted(touched):
        sync_folder(changed)
    if record.log:
        _append_to_log(root, record)
    _write_record(root, CommitRecord(record.number))
    shutil.rmtree(root / ROOM, ignore_errors=True)


def read_record(root: Path) -> CommitRecord:
    """The last commit.

    Raises:
        ProjectError: .fer/commit.json was altered.
    """
    path = root / RECORD
    try:
        values = json.loads(read_text(path))
        record = CommitRecord(**values)
        places = [*record.exchanges, *record.exchanges.values(), *record.folders, *record.deletions]
        if not isinstance(record.number, int) or any(not _is_inside(place) for place in places):
            raise ValueError("it names a place outside the project")
    except FileNotFoundError:
        return CommitRecord()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        hint = (
            "Restore it from a backup. Without one, delete it and run: fer doctor (a change may have been half made)."
        )
        raise ProjectError(f"{path}: cannot be read: {error}", hint=hint) from error
    return record


def current_path(root: Path, path: Path) -> Path:
    """Where the contents of `path` lie now: still in their waiting place while a commit is half applied."""
    record = read_record(root)
    if not record.is_pending:
        return path
    place = path.relative_to(root).as_posix()
    candidates = [record.exchanges[place]] if place in record.exchanges else []
    candidates += [f"{folder}/{place}" for folder in record.folders]
    return next((root / waiting for waiting in candidates if (root / waiting).exists()), path)


def read_settled(root: Path, read: Callable[[], T]) -> T:
    """What `read` gives when no commit came between its first and its last file."""
    while True:
        number = read_record(root).number
        found = read()
        if read_record(root).number == number:
            return found


def log_lines(root: Path) -> list[dict[str, Any]]:
    """The project's log, oldest first; a line that a kill cut short is left out."""
    path = root / LOG
    lines = []
    for text in read_text(path, errors="replace").splitlines() if path.exists() else ():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines


def _write_record(root: Path, record: CommitRecord) -> None:
    path = root / RECORD
    path.parent.mkdir(exist_ok=True)
    values = dataclasses.asdict(record) if record.is_pending else {"number": record.number}
    temporary = path.with_name(".commit~new.json")
    write_synced(temporary, json.dumps(values, default=str).encode("utf-8"))
    temporary.replace(path)
    sync_folder(path.parent)


def _append_to_log(root: Path, record: CommitRecord) -> None:
    """Append the line of this commit, unless it is there: the log is the one file that is added to."""
    line = json.dumps({"commit": record.number, **record.log}, sort_keys=True, default=str)
    with (root / LOG).open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - _LOG_TAIL_BYTES))
        tail = file.read()
        if any(_number_of(known) == record.number for known in tail.splitlines()[-2:]):
            return
        # A kill may have cut the line before.
        begin = "" if not tail or tail.endswith(b"\n") else "\n"
        file.write(f"{begin}{line}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def _number_of(line: bytes) -> int | None:
    try:
        number = json.loads(line)["commit"]
    except (ValueError, KeyError, TypeError):
        return None
    return number if isinstance(number, int) else None


def _replace(waiting: Path, place: Path) -> Path:
    """Give a waiting file its place, if it still waits; the folder of the place comes back."""
    for attempt in range(_RETRIES):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            waiting.replace(place)
        except FileNotFoundError:
            break  # it has its place already
        except PermissionError:
            # On Windows a file that another program has open cannot be replaced until it is closed.
            if os.name != "nt" or attempt == _RETRIES - 1:
                raise
            time.sleep(_PAUSE_S)
        else:
            break
    return place.parent


def _miss(place: Path, size: int | None, root: Path) -> None:
    """Raise ProjectError unless the place holds what the record promised it, by its size."""
    if size is None or (place.is_file() and place.stat().st_size == size):
        return
    raise ProjectError(
        f"{root / RECORD}: what a killed command wrote for '{place.relative_to(root).as_posix()}' is gone",
        hint="Restore .fer from a backup. Without one, delete that record, run: fer doctor, and the command again.",
    )


def _places_of(root: Path, record: CommitRecord) -> Iterator[str]:
    """Every place that a commit writes, reads from or deletes."""
    yield from (*record.exchanges, *record.exchanges.values(), *record.deletions)
    for folder in record.folders:
        yield f"{folder}/."
        yield from _files_below(root / folder, root / folder)


def _files_below(folder: Path, base: Path) -> Iterator[str]:
    for where, _, names in os.walk(folder):
        inside = Path(where).relative_to(base).as_posix()
        yield from (name if inside == "." else f"{inside}/{name}" for name in sorted(names))


def _holds(path: Path, data: bytes) -> bool:
    return path.stat().st_size == len(data) and sha256_of(path) == hashlib.sha256(data).hexdigest()


def _is_inside(place: object) -> bool:
    if not isinstance(place, str) or not place or {"\\", "\0"} & set(place):
        return False
    parts = place.split("/")
    return bool(parts[0]) and ":" not in parts[0] and ".." not in parts


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(error, Path(error.filename) if error.filename else path) from error
