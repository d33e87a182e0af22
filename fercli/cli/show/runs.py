"""The runs of a project as a table."""

from typing import Any

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from fercli.stages.runs import RunsResult


def show_runs(result: RunsResult, *_: Any) -> bool:
    """Print one line for each run; try-outs (--limit), variants of studies and scores of other crops are marked."""
    table = Table(box=None, pad_edge=False)
    has_notes = any(line["notes"] for line in result.runs)
    for heading in ("run", "status", "epochs", "best", "val", "test", *("note",) * has_notes):
        justify: JustifyMethod = "left" if heading in ("run", "status", "note") else "right"
        table.add_column(heading, justify=justify, no_wrap=heading != "note", overflow="fold")
    for line in result.runs:
        shares = ("-" if line[name] is None else f"{line[name]:.1%}" for name in ("val_accuracy", "test_accuracy"))
        marks = (line["status"], "try-out" if line["is_tryout"] else "", line["study"])
        status = Text(", ".join(filter(None, marks)))
        notes = (Text("; ".join(line["notes"])),) * has_notes
        table.add_row(line["run"], status, str(line["epochs"]), str(line["best_epoch"] or "-"), *shares, *notes)
    Console(soft_wrap=True).print(table if result.runs else "no runs yet")
    return True
