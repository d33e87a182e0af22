"""`fer doctor`."""

from fercli.cli.options import Call
from fercli.core.errors import ProjectError
from fercli.stages.doctor import DoctorResult
from fercli.stages.doctor import doctor as run_doctor


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
        # Rich is loaded only to show.
        from fercli.cli.show.doctor import show_findings

        show_findings(result)
        call.has_shown = True
    return result
