"""`fer doctor`."""

from fercli.cli.options import Call
from fercli.core.errors import ProjectError
from fercli.stages.doctor import DoctorResult
from fercli.stages.doctor import doctor as run_doctor

_MARKS = {"ok": "[green]✓[/green]", "note": "[yellow]![/yellow]", "problem": "[red]✗[/red]"}


def doctor(call: Call) -> DoctorResult:
    """Stage -> show; works outside a project too."""
    try:
        project = call.project
    except ProjectError:
        if call.project_dir:
            raise
        project = None
    result = run_doctor(project)
    if not call.json:
        _show(result)
        call.has_shown = True
    return result


def _show(result: DoctorResult) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for finding in result.findings:
        table.add_row(_MARKS[finding.state], finding.name, finding.detail, f"[dim]{finding.hint}[/dim]")
    Console(highlight=False).print(table)
