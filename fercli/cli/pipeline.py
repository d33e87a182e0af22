"""`fer status` and `fer run`."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from fercli.cli.options import Call
from fercli.core.stage import Stage
from fercli.stages.pipeline import RunResult, StatusResult, StepReport, last_settings, run_until
from fercli.stages.pipeline import status as run_status

_COLOURS = {"done": "green", "to do": "yellow", "waiting": "dim", "not needed": "dim", "failed": "red"}


def status(call: Call) -> StatusResult:
    """Stage -> show."""
    result = run_status(call.project, functools.partial(_settings, call))
    if not call.json:
        _show_status(call.project.name, result)
        call.has_shown = True
    return result


def run(
    call: Call,
    until: Annotated[str, typer.Option("--until", metavar="STAGE", help="Stop after this stage.")] = "report",
) -> RunResult:
    """Option -> stage -> show."""
    settings_of = functools.partial(_settings, call)
    result = run_until(call.project, until, settings_of, progress=call.progress)
    if not call.json:
        _show_steps(result.steps)
        call.has_shown = True
    return result


def _settings(call: Call, stage: Stage[Any]) -> Any:  # an instance of its settings class
    assert stage.settings is not None
    last = last_settings(call.project, stage)
    return replace(call, command=stage.words, last=last).settings(stage.settings)


def _show_status(name: str, result: StatusResult) -> None:
    from rich.console import Console

    counts = ", ".join(f"{count:,} {table}" for table, count in result.rows.items() if count) or "nothing added yet"
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{name}[/bold]: {counts}")
    if result.splits:
        console.print(f"splits: {', '.join(result.splits)}")
    for run_id, state in result.runs.items():
        console.print(f"run: {run_id} ({state})")
    _show_steps(result.steps)


def _show_steps(steps: Sequence[StepReport]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for step in steps:
        table.add_row(step.words, Text(step.state, _COLOURS[step.state]), Text(step.detail))
    Console(highlight=False).print(table)
