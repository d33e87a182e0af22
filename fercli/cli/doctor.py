"""`fer doctor`."""

from fercli.cli.options import Call
from fercli.core.errors import FerError
from fercli.core.project import CONFIG_NAME
from fercli.stages.doctor import DoctorResult
from fercli.stages.doctor import doctor as run_doctor

_MARKS = {"ok": "[green]✓[/green]", "note": "[yellow]![/yellow]", "problem": "[red]✗[/red]"}


def doctor(call: Call) -> DoctorResult:
    """Stage -> show; works outside a project too."""
    project = refusal = None
    try:
        project = call.project
    except FerError as error:
        refusal = error if _is_project(call) else None
        if call.project_dir and not refusal:
            raise
    result = run_doctor(project, refusal)
    if not call.json:
        _show(result)
        call.has_shown = True
    return result


def _is_project(call: Call) -> bool:
    """Whether a project is there, though it cannot be opened."""
    try:
        return (call.folder / CONFIG_NAME).is_file()
    except FerError:
        return False


def _show(result: DoctorResult) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for finding in result.findings:
        table.add_row(_MARKS[finding.state], finding.name, finding.detail, f"[dim]{finding.hint}[/dim]")
    Console(highlight=False).print(table)
