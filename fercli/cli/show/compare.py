"""A comparison of runs as tables on the terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fercli.core.words import counted
from fercli.reports.text_table import TextTable
from fercli.stages.compare import CompareResult
from fercli.stages.compare.words import best_of_models, difference_table, paper_table, score_table

# Columns of the scores that a terminal has room for: the others stand in the files.
_NUM_SCORE_COLUMNS = 7


def show_compare(result: CompareResult, *_: Any) -> bool:
    """Print scores and differences; the F1 of each class stands in a table of its own."""
    if result.is_dry_run:
        return False
    console = Console(highlight=False)
    same = " (up to date)" if result.is_unchanged else ""
    console.print(f"[green]✓[/green] {counted(len(result.runs), 'run')} compared{same}", soft_wrap=True)
    scores = score_table(result)
    print_table(console, _part(scores, "Scores", 0, _NUM_SCORE_COLUMNS), with_notes=False)
    print_table(console, _part(scores, "F1 of each class", _NUM_SCORE_COLUMNS, len(scores.columns)))
    print_table(console, difference_table(result.differences, result.against, result.unit))
    if result.reported:
        print_table(console, paper_table(result.reported, best_of_models(result), result.split))
    return True


def _part(table: TextTable, title: str, first: int, end: int) -> TextTable:
    """The table's first column, and those from `first` to before `end`."""
    first = max(1, first)
    columns = (table.columns[0], *(name.removeprefix("F1 ") for name in table.columns[first:end]))
    return TextTable(title, columns, tuple((row[0], *row[first:end]) for row in table.rows), table.notes)


def print_table(console: Console, table: TextTable, *, with_notes: bool = True) -> None:
    """Print a table of words with its title, and its notes below."""
    shown = Table(title=Text(table.title), title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for place, name in enumerate(table.columns):
        shown.add_column(Text(name), justify="left" if place == 0 else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*map(Text, row))
    console.print(shown)
    for note in table.notes if with_notes else ():
        console.print(Text(note, style="dim"), soft_wrap=True)
    console.print()
