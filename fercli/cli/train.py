"""`fer train`."""

import dataclasses
import os
from typing import Annotated

import typer

from fercli.cli.launch import is_launched, is_main_process, train_in_processes
from fercli.cli.options import Call
from fercli.stages.train import read_settings
from fercli.stages.train.work import TrainResult, TrainSettings, on_gpus, train_config
from fercli.stages.train.work import train as run_train


def train(
    call: Call,
    resume: Annotated[str, typer.Option("--resume", metavar="RUN", help="Go on with this interrupted run.")] = "",
    print_config: Annotated[bool, typer.Option("--print-config", help="Print the settings, and stop.")] = False,
    *,
    settings: TrainSettings,
) -> TrainResult:
    """Options -> settings -> stage."""
    if print_config:
        return _show_config(call, settings, resume)
    settings = on_gpus(settings)
    if is_launched():
        settings = dataclasses.replace(settings, procs=int(os.environ["WORLD_SIZE"]))
    elif settings.procs > 1:
        return train_in_processes(call, settings, resume)
    result = run_train(
        call.project,
        settings,
        resume=resume,
        progress=call.progress,
        force=call.force,
        dry_run=call.dry_run,
        is_shared=is_launched(),
    )
    if not is_main_process():
        raise typer.Exit
    return result


def _show_config(call: Call, settings: TrainSettings, resume: str) -> TrainResult:
    text = train_config(call.project, settings, resume=resume)
    if not call.json:
        print(text, end="")
        raise typer.Exit
    return TrainResult(model=read_settings(text).model_name, is_dry_run=True, plan=tuple(text.splitlines()))
