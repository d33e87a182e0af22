"""`fer doctor`."""

from fercli.cli.options import Call
from fercli.core.errors import FerError
from fercli.core.project import CONFIG_NAME
from fercli.stages.doctor import DoctorResult
from fercli.stages.doctor import doctor as run_doctor


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
        # Rich is loaded only to show.
        from fercli.cli.show.doctor import show_findings

        show_findings(result)
        call.has_shown = True
    return result


def _is_project(call: Call) -> bool:
    """Whether a project is there, though it cannot be opened."""
    try:
        return (call.folder / CONFIG_NAME).is_file()
    except FerError:
        return False
