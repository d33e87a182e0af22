"""`fer stats`."""

from dataclasses import replace
from typing import TYPE_CHECKING

from fercli.cli.options import Call
from fercli.stages.stats import StatsResult, StatsSettings
from fercli.stages.stats import stats as run_stats

if TYPE_CHECKING:
    from rich.table import Table


def stats(call: Call, *, settings: StatsSettings) -> StatsResult:
    """Options -> settings -> stage -> show."""
    settings = replace(settings, plot=settings.plot and not call.dry_run)
    result = run_stats(call.project, settings, progress=call.progress)
    if not call.json:
        _show(result)
        call.has_shown = True
    return result


def _show(result: StatsResult) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(f"[green]✓[/green] {result.num_faces:,} faces, {result.num_labelled:,} with a label")
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


def _table(name: str, rows: dict[str, dict[str, int]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

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
