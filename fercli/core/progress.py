"""How a stage tells how far it is, without knowing what a screen is."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """What a stage reports to; `cli/progress.py` shows it, `SILENT` forgets it."""

    def start(self, task: str, total: int | None = None) -> None:
        """Begin `task` of `total` items; None when their number is not known. Ends the task before it."""

    def advance(self, num_items: int = 1, **fields: str) -> None:
        """Count `num_items` more as done; `fields` are short texts shown beside the bar."""

    def note(self, text: str) -> None:
        """Say one line that should stay on the screen."""

    def add_row(self, cells: Mapping[str, str]) -> None:
        """Add a row to the task's table, `cells` by the names of their columns; empty ones are left blank."""


class SilentProgress:
    """Progress that nobody watches."""

    def start(self, task: str, total: int | None = None) -> None:
        """Do nothing."""

    def advance(self, num_items: int = 1, **fields: str) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def add_row(self, cells: Mapping[str, str]) -> None:
        """Do nothing."""


SILENT = SilentProgress()
