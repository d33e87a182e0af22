"""Bars of progress below a table that grows while a task goes on, such as one row an epoch."""

from collections.abc import Iterable, Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.progress import Progress, Task, TextColumn
from rich.table import Column, Table
from rich.text import Text

# A live table higher than the screen would be cut off at its end.
_SHOWN_ROWS = 10


class TableProgress(Progress):
    """Rich's progress with the last rows of the present task's table above its bars."""

    _rows: tuple[Mapping[str, str], ...] = ()

    def add_row(self, cells: Mapping[str, str]) -> None:
        """Show one row more; the first one names the columns."""
        self._rows = (*self._rows, dict(cells))
        self.refresh()

    def end_table(self) -> None:
        """Leave the table on the screen as it stands, and begin another with the next row."""
        if self._rows:
            shown, self._rows = self._table(), ()
            self.console.print(shown)

    def get_renderables(self) -> Iterable[RenderableType]:
        """The table and the bars; see `rich.progress.Progress`."""
        if self._rows:
            yield self._table()
        yield from super().get_renderables()

    def _table(self) -> Group:
        rows = self._rows[-_SHOWN_ROWS:]
        left_out = len(self._rows) - len(rows)
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
        for name in self._rows[0]:
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(*(Text(row.get(name, "")) for name in self._rows[0]))
        more = [Text(f"the last {len(rows)} of {len(self._rows)}\n", style="dim")] if left_out else []
        return Group(table, *more)


class RestColumn(TextColumn):
    """Text that gets what width the other columns leave, and ends there; else all columns would be cut."""

    def __init__(self, text_format: str) -> None:
        super().__init__(text_format, table_column=Column(no_wrap=False))

    def render(self, task: Task) -> Text:
        """The text in one line; see `rich.progress.TextColumn`."""
        text = super().render(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text
