"""`fer align`."""

from fercli.cli.options import Call
from fercli.stages.align.work import AlignResult, AlignSettings
from fercli.stages.align.work import align as run_align


def align(call: Call, *, settings: AlignSettings) -> AlignResult:
    """Options -> settings -> stage."""
    return run_align(call.project, settings, progress=call.progress, force=call.force, dry_run=call.dry_run)
