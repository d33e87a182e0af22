"""What the demo made, each stage beside the truth, as a table on the screen."""

from typing import Any

from rich.console import Console
from rich.table import Table

from fercli.stages.demo.work import DemoResult


def show_demo(result: DemoResult) -> None:
    """Print a row for each stage, and whether all was done before."""
    state = "done before, nothing has changed" if result.is_unchanged else "done"
    Console(highlight=False).print(_table(result), f"demo: {state}", sep="\n")


def _table(result: DemoResult) -> Table:
    table = Table("stage", "result", title="The demo: each stage compared with the ground truth", title_justify="left")
    for heading in ("value", "bound", "seconds"):
        table.add_column(heading, justify="right")
    for row in result.rows:
        table.add_row(row["stage"], row["made"], *_cells(row))
    return table


def _cells(row: dict[str, Any]) -> tuple[str, str, str]:  # JSON
    """Value, bound and seconds, empty where a row has none."""
    if "value" not in row:
        return "", "", f"{row['seconds']:.1f}" if "seconds" in row else ""
    color = "green" if row["value"] >= row["bound"] else "red"
    return f"[{color}]{row['value']:.1%}[/{color}]", f"{row['bound']:.0%}", ""
