"""A stage's progress as a bar on a terminal, with rate and time left."""

from collections.abc import Mapping

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from fercli.cli.live_table import RestColumn, TableProgress
from fercli.cli.rates import shown_rate


class RichProgress:
    """A bar with rate and time left; finished tasks stay as a line."""

    def __init__(self) -> None:
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

    def __exit__(self, kind: object = None, *_error: object) -> None:
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

    def _task(self) -> Task:
        assert self._current is not None
        return self._bar.tasks[self._bar.task_ids.index(self._current)]
