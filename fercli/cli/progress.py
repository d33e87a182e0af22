"""A stage's progress on a terminal, as plain lines in a log, or not at all."""

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.progress import Task, TaskID

ProgressStyle = Literal["auto", "rich", "plain", "none"]

# What a task counts in its first moment was done by an earlier call, and says nothing of its pace.
_KNOWN_BEFORE_S = 0.3


class PlainProgress:
    """One line at the start and end of a task and every ten seconds between, for logs and pipes."""

    interval_s = 10.0

    def __init__(self) -> None:
        self._task = ""

    def start(self, task: str, total: int | None = None) -> None:
        """See `core.progress.Progress`."""
        self._finish()
        self._task, self._total, self._done, self._fields = task, total, 0, ""
        self._began = self._said = time.monotonic()
        self._said_done = 0

    def advance(self, num_items: int = 1, **fields: str) -> None:
        """See `core.progress.Progress`."""
        self._done += num_items
        self._fields = " ".join(fields.values()) or self._fields
        now = time.monotonic()
        if now - self._began < _KNOWN_BEFORE_S:
            self._said_done = self._done
        if now - self._said >= self.interval_s:
            self._say(self._pace(now))
            self._said, self._said_done = now, self._done

    def note(self, text: str) -> None:
        """See `core.progress.Progress`."""
        print(text, file=sys.stderr, flush=True)

    def add_row(self, cells: Mapping[str, str]) -> None:
        """See `core.progress.Progress`."""
        self.note(", ".join(f"{name} {cell}".strip() for name, cell in cells.items() if cell))

    def __enter__(self) -> "PlainProgress":
        return self

    def __exit__(self, *_error: object) -> None:
        self._finish()

    def _finish(self) -> None:
        if self._task and self._total != 0:
            self._say()
        self._task = ""

    def _pace(self, now: float) -> str:
        """Since the last line, because a resumed task begins with what was done before."""
        num_done, seconds = self._done - self._said_done, now - self._said
        if num_done <= 0 or seconds < 1:
            return ""
        left = max(0, self._total - self._done) if self._total is not None else 0
        time_left = f", {shown_time(left * seconds / num_done)} left" if left else ""
        return f", {shown_rate(num_done / seconds)}{time_left}"

    def _say(self, pace: str = "") -> None:
        of_total = f"/{self._total}" if self._total is not None else ""
        seconds = time.monotonic() - self._began
        line = f"{self._task}: {self._done}{of_total} in {seconds:.0f} s{pace} {self._fields}".rstrip()
        print(line, file=sys.stderr, flush=True)


class RichProgress:
    """A bar with rate and time left; finished tasks stay as a line."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        from fercli.cli.live_table import RestColumn, TableProgress

        self._bar = TableProgress(
            SpinnerColumn(finished_text="[green]✓[/green]"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            RestColumn("{task.fields[extra]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
        )
        self._current: TaskID | None = None

    def start(self, task: str, total: int | None = None) -> None:
        """See `core.progress.Progress`."""
        self._finish()
        self._current = None if total == 0 else self._bar.add_task(task, total=total, extra="", rate="")

    def advance(self, num_items: int = 1, **fields: str) -> None:
        """See `core.progress.Progress`."""
        if self._current is not None:
            self._bar.advance(self._current, num_items)
            speed = self._task().speed
            self._bar.update(self._current, rate=shown_rate(speed) if speed else "")
            if fields:
                self._bar.update(self._current, extra=" ".join(fields.values()))

    def note(self, text: str) -> None:
        """See `core.progress.Progress`."""
        self._bar.console.print(text, markup=False, highlight=False)

    def add_row(self, cells: Mapping[str, str]) -> None:
        """See `core.progress.Progress`."""
        self._bar.add_row(cells)

    def __enter__(self) -> "RichProgress":
        self._bar.start()
        return self

    def __exit__(self, kind: object, *_error: object) -> None:
        if kind is None:
            self._finish()
        else:
            self._bar.end_table()
        self._bar.stop()

    def _finish(self) -> None:
        if self._current is not None:
            task = self._task()
            rate = shown_rate(task.finished_speed or task.speed or 0.0) if task.completed else ""
            self._bar.update(self._current, total=task.completed, completed=task.completed, rate=rate)
        self._current = None
        self._bar.end_table()

    def _task(self) -> "Task":
        assert self._current is not None
        return self._bar.tasks[self._bar.task_ids.index(self._current)]


class NoProgress:
    """Notes only; for `--progress none`."""

    def start(self, task: str, total: int | None = None) -> None:
        """Do nothing."""

    def advance(self, num_items: int = 1, **fields: str) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def add_row(self, cells: Mapping[str, str]) -> None:
        """Do nothing."""

    def __enter__(self) -> "NoProgress":
        return self

    def __exit__(self, *_error: object) -> None:
        """Do nothing."""


def shown_rate(per_s: float) -> str:
    """Items in a second, or seconds for one, whichever reads better."""
    if per_s >= 10:
        return f"{per_s:.0f}/s"
    if per_s >= 0.5 or per_s == 0:
        return f"{per_s:.1f}/s"
    return f"{1 / per_s:.1f} s each"


def shown_time(seconds: float) -> str:
    """A rough length of time: 40 s, 3 min, 2 h 5 min."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def make_progress(style: ProgressStyle) -> PlainProgress | RichProgress | NoProgress:
    """What `--progress` asks for; `auto` draws on a terminal and writes plain lines elsewhere."""
    if style == "none":
        return NoProgress()
    if style == "rich" or (style == "auto" and sys.stderr.isatty()):
        return RichProgress()
    return PlainProgress()
