"""`fer demo`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fercli.cli.options import Call, makes_project
from fercli.stages.demo.work import DemoResult, DemoSettings
from fercli.stages.demo.work import demo as run_demo

if TYPE_CHECKING:
    from rich.table import Table


@makes_project
def demo(
    call: Call,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Create the demo project in this folder.")] = Path(
        "fer-demo"
    ),
    *,
    settings: DemoSettings,
) -> DemoResult:
    """Options -> settings -> stage."""
    result = run_demo(folder, settings, progress=call.progress, force=call.force, dry_run=call.dry_run)
    call.root = Path(result.root)
    if not call.json and not result.is_dry_run:
        from rich.console import Console

        state = "done before, nothing has changed" if result.is_unchanged else "done"
        Console(highlight=False).print(_table(result), f"demo: {state}", sep="\n")
        call.has_shown = True
    return result


def _table(result: DemoResult) -> "Table":
    from rich.table import Table

    table = Table("stage", "what was made", title="The demo, each stage beside the truth", title_justify="left")
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
