"""What a project remembers of its stages: finished items of a running one, the fingerprint of a finished one, a log."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fercli.core.files import replace_text, sha256_of, storage_error


@dataclass(frozen=True)
class StageState:
    """What a finished stage was made from (`fingerprint`), its `items` (id -> key) and the counts that it reported."""

    fingerprint: str
    items: dict[str, str] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)  # any JSON value: each stage has counts of its own


def fingerprint(settings: object, inputs: Iterable[Path] = (), extra: object = None) -> str:
    """One short name for settings, the contents of input files and anything else that a stage depends on.

    Args:
        settings: a settings dataclass, or anything JSON can hold.
        inputs: files; a missing one counts as such.
        extra: anything JSON can hold.
    """
    plain = dataclasses.asdict(settings) if dataclasses.is_dataclass(settings) else settings  # type: ignore[arg-type]  # never a class
    digests = [sha256_of(path) if path.exists() else "missing" for path in inputs]
    text = json.dumps([plain, digests, extra], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def read_state(project_root: Path, stage: str) -> StageState | None:
    """What is remembered of the last finished run of `stage`; None when there was none or its record is damaged."""
    try:
        return StageState(**json.loads(_state_path(project_root, stage).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_state(project_root: Path, stage: str, state: StageState) -> None:
    """Remember a finished run of `stage`."""
    text = json.dumps(dataclasses.asdict(state), sort_keys=True, default=str)
    replace_text(_state_path(project_root, stage), text + "\n")


def log_run(project_root: Path, stage: str, settings: object, counts: Mapping[str, object]) -> None:
    """Add one line to the project's log of everything that was done to it."""
    plain = dataclasses.asdict(settings) if dataclasses.is_dataclass(settings) else settings  # type: ignore[arg-type]  # never a class
    line = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "stage": stage,
        "settings": plain,
        "counts": counts,
    }
    path = project_root / ".fer" / "journal.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, sort_keys=True, default=str) + "\n")


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

    def __enter__(self) -> Self:
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


def _line(entry: object) -> str:
    return json.dumps(entry, default=str) + "\n"


def _state_path(project_root: Path, stage: str) -> Path:
    return project_root / ".fer" / "stages" / f"{stage}.json"
