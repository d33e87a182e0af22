"""Scores on other projects: of one run with the map of its classes, and of several as a matrix."""

from typing import Any

from rich.console import Console

from fercli.cli.show.compare import print_table
from fercli.core.words import counted
from fercli.reports.score_words import MEASURES, NONE
from fercli.reports.text_table import TextTable
from fercli.stages.transfer import MatrixResult, TransferResult
from fercli.stages.transfer.matrix import matrix_tables


def show_transfer(result: TransferResult, *_: Any) -> bool:
    """Print the scores and how classes were mapped."""
    if result.is_dry_run:
        return False
    console = Console(highlight=False)
    same = " (up to date)" if result.is_unchanged else ""
    variant = f", {result.variant}" if result.variant else ""
    console.print(
        f"[green]✓[/green] {result.run}{variant} on {counted(result.num_faces, 'face')} of {result.project} "
        f"({result.faces}){same}",
        soft_wrap=True,
    )
    unit = result.accuracy["unit"]
    scores = [(word, *_cells(getattr(result, name))) for name, word in MEASURES.items()]
    majority = result.majority_class
    scores.append((f"majority-class baseline ('{majority['emotion']}')", f"{majority['value']:.2%}", ""))
    head = ("measure", "value", f"95% CI (bootstrap over {unit}s)")
    print_table(console, TextTable("Scores", head, tuple(scores)))
    rows = [
        (
            row["theirs"] or NONE,
            ", ".join(row["run"]) or NONE,
            row["evaluated_as"] or "left out",
            f"{row['num_faces']:,}" if row["theirs"] else NONE,
        )
        for row in result.mapping
    ]
    print_table(
        console, TextTable("Classes", (f"in {result.project}", "of the run", "evaluated as", "faces"), tuple(rows))
    )
    return True


def show_matrix(result: MatrixResult, *_: Any) -> bool:
    """Print one table a score."""
    if result.is_dry_run:
        return False
    console = Console(highlight=False)
    same = " (up to date)" if result.is_unchanged else ""
    console.print(
        f"[green]✓[/green] {counted(len(result.runs), 'run')} on {counted(len(result.projects), 'project')}{same}",
        soft_wrap=True,
    )
    for table in matrix_tables(result.cells, result.projects):
        print_table(console, table)
    return True


def _cells(entry: dict[str, Any]) -> tuple[str, str]:  # JSON values
    has_interval = entry.get("low") is not None
    return f"{entry['value']:.2%}", f"{entry['low']:.2%} to {entry['high']:.2%}" if has_interval else "none"
