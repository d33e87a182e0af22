"""The work of `fer train`: which run is begun or gone on with, here or together with other processes."""

from dataclasses import replace
from functools import partial

from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.runs import Run
from fercli.learn.world import ALONE, World, joined_world
from fercli.stages.train.identity import inputs_of, look_up, planned, settle
from fercli.stages.train.prepare import count_macs, prepare
from fercli.stages.train.result import TrainResult, finished_result
from fercli.stages.train.resume import check_processes, left_behind
from fercli.stages.train.run import check_settings, run_training
from fercli.stages.train.settings import TrainSettings, settings_text


def call(
    project: Project,
    settings: TrainSettings,
    run: Run | None,
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
    world: World = ALONE,
) -> TrainResult:
    """Train a network on the project's faces, or go on with a training that was interrupted.

    The same settings and data as those of a finished run do nothing; of an interrupted run, they go on with it.

    Args:
        project: with faces, labels and a split.
        settings: which network and how, settled.
        run: a run to go on with; its own settings are used.
        progress: told of each step.
        force: train again although a finished run has the same settings and data.
        dry_run: only say what would be done.
        world: the processes that all call this and train together.

    Raises:
        CheckError: the training diverged.
        ProjectError: the run to resume was made from other data, or is being trained.
        KeyboardInterrupt: SIGINT or SIGTERM came; all work until then is saved.
    """
    inputs = inputs_of(project, settings, run)
    known = world.from_main(partial(look_up, project, settings, run, inputs, force=force))
    if known and known.record.status == "finished":
        return finished_result(known)
    if known:
        # What is only planned is done by as many processes as are asked for.
        check_processes(known, settings.procs if dry_run and world is ALONE else world.size)
    if dry_run:
        warnings = check_settings(project, settings, known)
        plan = planned(settings, known)
        return TrainResult(model=settings.model_name, is_dry_run=True, plan=plan, warnings=warnings)
    abandoned = [] if known else left_behind(project, inputs)
    for sentence in abandoned:
        progress.note(sentence)
    result = run_training(project, settings, known, inputs, progress=progress, world=world)
    if not result.is_unchanged and world.is_main:
        result = replace(result, warnings=(*result.warnings, *abandoned))
    if result.stopped_because == "interrupted":
        raise KeyboardInterrupt
    return result


def train_together(
    project: Project, settings: TrainSettings, resume: str = "", *, progress: Progress = SILENT, force: bool = False
) -> TrainResult:
    """Train as one of the processes that torchrun has started, all of which call this; see `call`."""
    settings, (run,) = settle(project, settings, resume)
    with joined_world(settings.device) as world:
        return call(project, settings, run, progress=progress, force=force, world=world)


def train_config(project: Project, settings: TrainSettings, resume: str = "") -> str:
    """The config.toml that a run with these settings, or the run to resume, would have, the recipe's plan included."""
    settings, _ = settle(project, settings, resume)
    prepared = prepare(project, settings)
    count_macs(settings, prepared)  # refuses what no training could be made from
    return settings_text(settings, prepared.plan, prepared.form)
