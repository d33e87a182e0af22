"""Where every stage stands, as lines and a table on the screen."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fercli.core.words import counted
from fercli.stages.pipeline import StatusResult, StepReport

_COLOURS = {"done": "green", "to do": "yellow", "waiting": "dim", "not needed": "dim", "failed": "red"}


def show_status(name: str, result: StatusResult) -> None:
    """Print rows, splits, runs and stages of the project `name`."""
    counted_rows = (counted(count, table.removesuffix("s"), table) for table, count in result.rows.items() if count)
    counts = ", ".join(counted_rows) or "nothing added yet"
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{name}[/bold]: {counts}")
    if result.splits:
        console.print(f"splits: {', '.join(result.splits)}")
    for run_id, state in result.runs.items():
        console.print(f"run: {run_id} ({state})")
    if result.num_waiting_votes:
        votes = counted(result.num_waiting_votes, "vote")
        console.print(f"{votes} of the labelling page saved and not imported yet: fer labels")
    show_steps(result.steps)


def show_steps(steps: Sequence[StepReport]) -> None:
    """Print a row for each stage."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for step in steps:
        table.add_row(step.words, Text(step.state, _COLOURS[step.state]), Text(step.detail))
    Console(highlight=False).print(table)
