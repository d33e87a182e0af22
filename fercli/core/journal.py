"""What a project notes while it works: the finished items of a running stage, and a log of every run."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from fercli.core.files import replace_text, storage_error
from fercli.core.settings import plain_settings


class ItemJournal:
    """Append-only record of the items that a running stage has finished, so that a killed stage goes on from there.

    Use as a context manager. `finished` holds what an earlier, interrupted run with the same fingerprint left behind;
    a half last line is ignored, and a journal of other settings is thrown away. `discard` at the end of the stage, when
    the table holds everything.
    """

    def __init__(self, project_root: Path, stage: str, stage_fingerprint: str) -> None:
        self._path = project_root / ".fer" / "running" / f"{stage}.jsonl"
        self._fingerprint = stage_fingerprint
        self.finished: dict[str, Any] = {}  # any JSON value: each stage has records of its own

    def __enter__(self) -> "ItemJournal":
        lines = self._whole_lines()
        if lines and lines[0] == {"fingerprint": self._fingerprint}:
            self.finished = {line["item"]: line["record"] for line in lines[1:]}
        kept = [{"item": item, "record": record} for item, record in self.finished.items()]
        replace_text(self._path, "".join(_line(entry) for entry in [{"fingerprint": self._fingerprint}, *kept]))
        self._file = self._path.open("a", encoding="utf-8")
        return self

    def add(self, item: str, record: object) -> None:
        """Record that `item` is finished and its files are in place; `record` is anything JSON can hold."""
        self.finished[item] = record
        try:
            self._file.write(_line({"item": item, "record": record}))
            self._file.flush()
        except OSError as error:
            raise storage_error(error, self._path) from error

    def discard(self) -> None:
        """Forget the journal: its records stand in the table now."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def _whole_lines(self) -> list[Any]:
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        lines = []
        for line in text.splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                break
        return lines


def log_run(project_root: Path, stage: str, settings: object, counts: Mapping[str, object]) -> None:
    """Add one line to the project's log of everything that was done to it."""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "stage": stage,
        "settings": plain_settings(settings),
        "counts": counts,
    }
    path = project_root / ".fer" / "journal.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, sort_keys=True, default=str) + "\n")


def _line(entry: object) -> str:
    return json.dumps(entry, default=str) + "\n"
