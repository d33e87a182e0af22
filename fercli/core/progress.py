"""How a stage tells how far it is, without knowing what a screen is."""

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


class SilentProgress:
    """Progress that nobody watches."""

    def start(self, task: str, total: int | None = None) -> None:
        """Do nothing."""

    def advance(self, num_items: int = 1, **fields: str) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


SILENT = SilentProgress()
