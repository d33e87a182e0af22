"""What the doctor found, as a table on the screen."""

from rich.console import Console
from rich.table import Table

from fercli.stages.doctor import DoctorResult

_MARKS = {"ok": "[green]✓[/green]", "note": "[yellow]![/yellow]", "problem": "[red]✗[/red]"}


def show_findings(result: DoctorResult) -> None:
    """Print a row for each finding."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for finding in result.findings:
        table.add_row(_MARKS[finding.state], finding.name, finding.detail, f"[dim]{finding.hint}[/dim]")
    Console(highlight=False).print(table)
