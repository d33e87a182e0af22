"""Counts of faces as tables."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fercli.core.words import counted
from fercli.stages.stats import StatsResult


def show_stats(result: StatsResult, *_: Any) -> bool:
    """Print the counts of each table."""
    console = Console(highlight=False)
    console.print(f"[green]✓[/green] {counted(result.num_faces, 'face')}, {result.num_labelled:,} with a label")
    for by, rows in result.tables.items():
        if by == "split" and "class" in result.tables:
            continue  # the same numbers, and a column a class is too wide for a screen
        name = f"split '{result.split}'" if by in ("split", "class") and result.split else by
        console.print(_table(name, rows))
    for words, counts in (("labels", result.label_statuses), ("dropped", result.dropped)):
        if counts:
            console.print(
                f"{words}: " + ", ".join(f"{name} {number:,}" for name, number in counts.items()), markup=False
            )
    return True


def _table(name: str, rows: dict[str, dict[str, int]]) -> Table:
    used = [column for column in next(iter(rows.values()), {}) if any(row[column] for row in rows.values())]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(Text(name))
    for column in (*used, "all"):
        table.add_column(Text(column), justify="right")
    for group, counts in rows.items():
        table.add_row(Text(group), *(f"{counts[column]:,}" for column in used), f"{sum(counts.values()):,}")
    sums = [sum(counts[column] for counts in rows.values()) for column in used]
    table.add_row(Text("all"), *(f"{number:,}" for number in sums), f"{sum(sums):,}", style="dim")
    return table
