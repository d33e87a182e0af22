"""`fer status` and `fer run`."""

import functools
from dataclasses import replace
from typing import Annotated, Any

import typer

from fercli.cli.options import Call
from fercli.core.stage import Stage
from fercli.stages.pipeline import RunResult, StatusResult, last_settings, run_until
from fercli.stages.pipeline import status as run_status


def status(call: Call) -> StatusResult:
    """Stage -> show."""
    result = run_status(call.project, functools.partial(_settings, call))
    if not call.json:
        # Rich is loaded only to show.
        from fercli.cli.show.pipeline import show_status

        show_status(call.project.name, result)
        call.has_shown = True
    return result


def run(
    call: Call,
    until: Annotated[str, typer.Option("--until", metavar="STAGE", help="Stop after this stage.")] = "report",
) -> RunResult:
    """Options -> stage -> show; the call knows whether it is a dry run."""
    settings_of = functools.partial(_settings, call)
    result = run_until(call.project, until, settings_of, progress=call.progress, dry_run=call.dry_run)
    if not call.json:
        # Rich is loaded only to show.
        from fercli.cli.show.pipeline import show_steps

        if result.is_dry_run:
            print("run, a dry run: nothing was written")
        show_steps(result.steps)
        call.has_shown = True
    return result


def _settings(call: Call, stage: Stage[Any]) -> Any:  # an instance of its settings class
    assert stage.settings is not None
    last = last_settings(call.project, stage)
    return replace(call, command=stage.words, last=last).settings(stage.settings)
