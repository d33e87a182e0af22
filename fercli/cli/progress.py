"""A stage's progress on a terminal, as plain lines in a log, or not at all."""

import sys
import time
from collections.abc import Mapping
from typing import Literal, Protocol

from fercli.cli.rates import shown_rate, shown_time
from fercli.core.progress import Progress

ProgressStyle = Literal["auto", "rich", "plain", "none"]

# What a task counts in its first moment was done by an earlier call, and says nothing of its pace.
_KNOWN_BEFORE_S = 0.3


class ShownProgress(Progress, Protocol):
    """A progress that is shown within a `with` block."""

    def __enter__(self) -> Progress:
        """Begin to show it."""

    def __exit__(self, *_error: object) -> None:
        """Leave what is finished on the screen."""


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


def make_progress(style: ProgressStyle) -> ShownProgress:
    """What `--progress` asks for; `auto` draws on a terminal and writes plain lines elsewhere."""
    if style == "none":
        return NoProgress()
    if style == "rich" or (style == "auto" and sys.stderr.isatty()):
        # Rich is loaded only where somebody looks.
        from fercli.cli.bars import RichProgress

        return RichProgress()
    return PlainProgress()
