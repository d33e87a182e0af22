"""`fer train`."""

import dataclasses
import os
from typing import Annotated

import typer

from fercli.cli import show
from fercli.cli.launch import is_launched, is_main_process, train_in_processes
from fercli.cli.options import Call
from fercli.core.errors import UsageError
from fercli.stages.train import TrainResult, TrainSettings
from fercli.stages.train import train as run_train
from fercli.stages.train.identity import on_gpus
from fercli.stages.train.series import TrainSeriesResult, is_series, train_each
from fercli.stages.train.settings import read_settings


def train(
    call: Call,
    resume: Annotated[str, typer.Option("--resume", metavar="RUN", help="Resume this interrupted run.")] = "",
    print_config: Annotated[bool, typer.Option("--print-config", help="Print the training settings and exit.")] = False,
    *,
    settings: TrainSettings,
) -> TrainResult | TrainSeriesResult:
    """Options -> settings -> stage -> show."""
    result = _trained(call, settings, resume, print_config=print_config)
    if not call.json:
        call.has_shown = show.show_own(result, settings, call.project)
    return result


def _trained(
    call: Call, settings: TrainSettings, resume: str, *, print_config: bool
) -> TrainResult | TrainSeriesResult:
    if is_series(settings):
        if resume or print_config or is_launched():
            raise UsageError(
                "--fold all and --seeds train several runs", hint="Name one fold and one seed: --fold 0 --seed 1."
            )
        return train_each(call.project, settings, lambda one: train_once(call, one))
    if resume:
        # A run goes on with its own settings: only what is asked for now may disagree with them.
        settings = call.resolved(TrainSettings, is_given_now=True).settings
    if print_config:
        return _show_config(call, settings, resume)
    settings = on_gpus(settings)
    if is_launched():
        return _train_together(call, dataclasses.replace(settings, procs=int(os.environ["WORLD_SIZE"])), resume)
    return train_once(call, settings, resume)


def train_once(call: Call, settings: TrainSettings, resume: str = "") -> TrainResult:
    """Train in this process, or in as many as the settings ask for."""
    settings = on_gpus(settings)
    if settings.procs > 1:
        return train_in_processes(call, settings, resume)
    return run_train(call.project, settings, resume, progress=call.progress, force=call.force, dry_run=call.dry_run)


def _train_together(call: Call, settings: TrainSettings, resume: str) -> TrainResult:
    """Train as one of the processes that the user's own torchrun has started; only the main one talks."""
    # Loads torch, which a training that was done before need not.
    from fercli.stages.train.work import train_together

    result = train_together(call.project, settings, resume, progress=call.progress, force=call.force)
    if not is_main_process():
        raise typer.Exit
    return result


def _show_config(call: Call, settings: TrainSettings, resume: str) -> TrainResult:
    # Loads torch, which a training that was done before need not.
    from fercli.stages.train.work import train_config

    text = train_config(call.project, settings, resume=resume)
    if not call.json:
        print(text, end="")
        raise typer.Exit
    return TrainResult(model=read_settings(text).model_name, is_dry_run=True, plan=tuple(text.splitlines()))
