"""A split as a table on the screen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fercli.stages.split.work import SplitResult

if TYPE_CHECKING:
    from rich.table import Table


def show_split(result: SplitResult, classes: Sequence[str]) -> None:
    """Print faces, groups and `classes` of each part."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    folds = f" in {result.num_folds} folds (counts are sums over folds)" if result.num_folds else ""
    console.print(f"[green]✓[/green] split '{result.name}': {result.num_faces} faces{folds}{_by(result)}")
    console.print(_parts_table(result, classes))
    left = f"; {result.num_left_out} labelled faces are in no part" if result.num_left_out else ""
    dropped = f"; {result.num_dropped} training copies dropped" if result.num_dropped else ""
    people = "no subject and no picture is" if result.knows_subjects else "subjects are not known; no picture is"
    console.print(f"{people} on two sides{left}{dropped}")


def _by(result: SplitResult) -> str:
    if result.group == "file":
        return ", from a file"
    return ", groups not known" if result.group == "none" else f", by {result.group}"


def _parts_table(result: SplitResult, classes: Sequence[str]) -> "Table":
    """A row a class and a column a part: however many classes there are, it fits the screen."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 2))
    table.add_column("")
    for part in result.parts:
        table.add_column(part, justify="right")
    groups = "groups" if result.group in ("none", "file") else f"{result.group}s"
    rows = {"faces": result.parts, groups: result.groups}
    rows |= {name: {part: result.classes.get(part, {}).get(name, 0) for part in result.parts} for name in classes}
    for name, counts in rows.items():
        table.add_row(Text(name), *(f"{counts.get(part, 0):,}" for part in result.parts))
    return table
