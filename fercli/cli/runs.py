"""`fer runs`."""

from fercli.cli.options import Call
from fercli.stages.runs import RunsResult
from fercli.stages.runs import runs as list_runs


def runs(call: Call) -> RunsResult:
    """Show the runs as a table."""
    result = list_runs(call.project)
    if not call.json:
        _show(result)
        call.has_shown = True
    return result


def _show(result: RunsResult) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("run", "status", "epochs", "best", "val", "test"):
        table.add_column(heading, justify="left" if heading in ("run", "status") else "right")
    for line in result.runs:
        shares = ("-" if line[name] is None else f"{line[name]:.1%}" for name in ("val_accuracy", "test_accuracy"))
        table.add_row(line["run"], line["status"], str(line["epochs"]), str(line["best_epoch"] or "-"), *shares)
    console = Console(soft_wrap=True)
    console.print(table if result.runs else "no runs yet")
