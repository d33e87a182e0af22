"""`fer split`."""

from fercli.cli.options import Call
from fercli.cli.show.split import show_split
from fercli.stages.split.work import SplitResult, SplitSettings
from fercli.stages.split.work import split as run_split


def split(call: Call, *, settings: SplitSettings) -> SplitResult:
    """Options -> settings -> stage -> show."""
    result = run_split(call.project, settings, progress=call.progress, force=call.force, dry_run=call.dry_run)
    if not (call.json or result.is_unchanged or result.is_dry_run):
        show_split(result, call.project.classes)
        call.has_shown = True
    return result
