"""Many items, one after the other, so that a killed stage goes on where it was: its journal and waiting files."""

import glob
import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from filelock import FileLock, Timeout

from fercli.core.commit import Commit, read_record
from fercli.core.errors import ProjectError
from fercli.core.files import read_text, replace_text, storage_error, sweep_temporaries

RUNNING = ".fer/running"


class Batch:
    """The items that a running stage has finished, and the files of theirs that wait for the stage's commit.

    Use as a context manager; one process at a time. `finished` holds the records that an earlier, interrupted run of
    the same mark left behind; a half last line is ignored, and what was made under another mark is thrown away. What
    a pending commit names is no leftover: such a batch cannot be entered before the commit is finished.

    Attributes:
        room: where finished files wait, at the place that they will have in the project.
        finished: the record of each finished item, anything that JSON can hold.
    """

    def __init__(self, root: Path, name: str, mark: str) -> None:
        self.room = root / RUNNING / name
        self.finished: dict[str, Any] = {}
        self._root = root
        self._name = name
        self._mark = mark
        self._journal = root / RUNNING / f"{name}.jsonl"
        self._lock = FileLock(root / RUNNING / f"{name}.lock")
        self._file: TextIO | None = None

    def __enter__(self) -> "Batch":
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        self._hold()
        try:
            self._take_over()
        except BaseException:
            self._lock.release()
            raise
        return self

    def is_finished(self, item: str, key: str, paths: Iterable[str] = ()) -> bool:
        """Whether `item` was finished with this `key`, and its files still wait or have their places."""
        record = self.finished.get(item)
        if record is None or record.get("key") != key:
            return False
        return all((self.room / path).exists() or (self._root / path).exists() for path in paths)

    def add(self, item: str, record: object) -> None:
        """Record that `item` is finished and its files wait; `record` is anything that JSON can hold."""
        self.finished[item] = record
        if self._file is None:
            self._begin()
            return
        try:
            self._file.write(_line({"item": item, "record": record}))
            self._file.flush()
        except OSError as error:
            raise storage_error(error, self._journal) from error

    def clear(self) -> None:
        """Forget what an interrupted run has left: everything is done again."""
        self.finished.clear()
        self._close()
        self._journal.unlink(missing_ok=True)
        shutil.rmtree(self.room, ignore_errors=True)

    def commit_to(self, commit: Commit) -> None:
        """Let the waiting files take their places with `commit`, which also ends the journal."""
        commit.folder(self.room)
        if self._journal.exists():
            commit.delete(self._journal)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._close()
        except OSError as failure:
            if error is None:
                raise storage_error(failure, self._journal) from failure
        finally:
            self._leave()

    def _take_over(self) -> None:
        """Find what an interrupted run of this mark has left, or begin afresh."""
        if self.room.relative_to(self._root).as_posix() in read_record(self._root).folders:
            raise ProjectError(
                f"what a killed command has committed still waits in '{self.room}'",
                hint="Another command is writing; run this one again when it has ended.",
            )
        for path in self._journal.parent.glob(f".{glob.escape(self._name)}~*.jsonl"):
            path.unlink(missing_ok=True)  # a kill while the journal was written
        lines = _whole_lines(self._journal)
        if lines and lines[0] == {"fingerprint": self._mark}:
            self.finished = {line["item"]: line["record"] for line in lines[1:]}
        if self.finished:
            sweep_temporaries(self.room)
            self._begin()
        else:
            self.clear()

    def _begin(self) -> None:
        """Write the journal of all that is finished, and go on at its end."""
        kept = [{"item": item, "record": record} for item, record in self.finished.items()]
        replace_text(self._journal, "".join(_line(entry) for entry in [{"fingerprint": self._mark}, *kept]))
        self._file = self._journal.open("a", encoding="utf-8")

    def _leave(self) -> None:
        """Give the hold back; of a run that ended, or that had nothing to go on from, no file stays."""
        is_over = not self._journal.exists()
        if is_over:
            shutil.rmtree(self.room, ignore_errors=True)
            with suppress(OSError):  # Windows deletes no file that is open
                Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()
        if is_over:
            with suppress(OSError):
                Path(self._lock.lock_file).unlink(missing_ok=True)
                self._journal.parent.rmdir()

    def _hold(self) -> None:
        try:
            self._lock.acquire(timeout=0.2)
        except Timeout as error:
            raise ProjectError(
                f"another fer command is running this stage on '{self._root}'",
                hint="Wait for it to finish. Read-only commands (status, models, trace) still work.",
            ) from error

    def _close(self) -> None:
        if self._file is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()
            self._file = None


def interrupted(root: Path) -> list[str]:
    """The names under which stages were begun and not ended, and nobody is at work now."""
    names = [path.stem for path in sorted((root / RUNNING).glob("*.jsonl")) if len(_whole_lines(path)) > 1]
    return [name for name in names if not _is_held(root / RUNNING / f"{name}.lock")]


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def _whole_lines(path: Path) -> list[Any]:
    try:
        text = read_text(path, errors="replace")
    except OSError:
        return []
    lines = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines


def _line(entry: object) -> str:
    return json.dumps(entry, default=str) + "\n"
