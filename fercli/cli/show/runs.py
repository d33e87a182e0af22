"""The runs of a project as a table."""

from typing import Any

from rich.console import Console
from rich.table import Table

from fercli.stages.runs import RunsResult


def show_runs(result: RunsResult, *_: Any) -> bool:
    """Print one line for each run; a try-out (--limit) is marked."""
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "status", "epochs", "best", "val", "test"):
        table.add_column(heading, justify="left" if heading in ("run", "status") else "right")
    for line in result.runs:
        shares = ("-" if line[name] is None else f"{line[name]:.1%}" for name in ("val_accuracy", "test_accuracy"))
        status = f"{line['status']}, try-out" if line["is_tryout"] else line["status"]
        table.add_row(line["run"], status, str(line["epochs"]), str(line["best_epoch"] or "-"), *shares)
    Console(soft_wrap=True).print(table if result.runs else "no runs yet")
    return True
