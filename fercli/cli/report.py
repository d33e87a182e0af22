"""`fer report`."""

from typing import Annotated

import typer

from fercli.cli.options import Call
from fercli.stages.report.work import ReportResult, ReportSettings
from fercli.stages.report.work import report as run_report


def report(
    call: Call,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Report this run; the newest otherwise.")] = "",
    *,
    settings: ReportSettings,
) -> ReportResult:
    """Options -> settings -> stage."""
    return run_report(call.project, settings, run, progress=call.progress, force=call.force, dry_run=call.dry_run)
