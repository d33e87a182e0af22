"""`fer train`: labelled faces and a split to a run: weights, figures, and how they were got."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fercli.core.errors import InputError, UsageError
from fercli.core.files import sha256_of
from fercli.core.journal import log_run
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Label
from fercli.core.runs import Run, digest, find_run, same_work
from fercli.models.pretrained.tfjs_files import weight_files
from fercli.stages.train import TrainSettings, identity
from fercli.stages.train.result import TrainResult, finished_result
from fercli.stages.train.resume import check_processes, check_unchanged, kept_pretrained, left_behind, settings_of

if TYPE_CHECKING:
    from fercli.learn.world import World

__all__ = ["TrainResult", "TrainSettings", "on_gpus", "train", "train_config"]


def train(
    project: Project,
    settings: TrainSettings,
    *,
    resume: str = "",
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
    is_shared: bool = False,
) -> TrainResult:
    """Train a network on the project's faces, or go on with a training that was interrupted.

    The same settings and data as those of a finished run do nothing; of an interrupted run, they go on with it.

    Args:
        project: with faces, labels and a split.
        settings: which network and how.
        resume: a run to go on with, by id or a part of it; its own settings are used.
        progress: told of each step.
        force: train again although a finished run has the same settings and data.
        dry_run: only say what would be done.
        is_shared: torchrun started several processes that all call this; they train together.

    Raises:
        MissingStageError: no faces, no labels or no such split.
        CheckError: the training diverged.
        ProjectError: the run to resume was made from other data, or is being trained.
        KeyboardInterrupt: SIGINT or SIGTERM came; all work until then is saved.
    """
    project.require(Face)
    project.require(Label)
    run = find_run(project.root, resume) if resume else None
    settings = settings_of(run, on_gpus(settings)) if run else on_gpus(settings)
    if not is_shared:
        return _train(project, settings, run, progress=progress, force=force, dry_run=dry_run)
    from fercli.learn.world import joined_world

    with joined_world(settings.device) as world:
        return _train(project, settings, run, progress=progress, force=force, dry_run=dry_run, world=world)


def _train(
    project: Project,
    settings: TrainSettings,
    run: Run | None,
    *,
    progress: Progress,
    force: bool,
    dry_run: bool,
    world: "World | None" = None,
) -> TrainResult:
    settings = with_split(project, _with_absolute_weights(_with_known_model(settings)))
    inputs = _inputs(project, settings, run)

    def look_up() -> Run | None:
        if run:
            return check_unchanged(project, settings, run, inputs)
        return None if force else same_work(project.root, digest(inputs))

    known = world.from_main(look_up) if world else look_up()
    if known and known.record.status == "finished":
        return finished_result(known)
    from fercli.stages.train.run import check_settings, run_training

    if known:
        # What is only planned is done by as many processes as are asked for.
        check_processes(known, world.size if world else settings.procs if dry_run else 1)
    if dry_run:
        check_settings(project, settings, known)
        return _plan_result(settings, known)
    abandoned = [] if known else left_behind(project, inputs)
    for sentence in abandoned:
        progress.note(sentence)
    result = run_training(project, settings, known, inputs, progress=progress, world=world)
    if not result.is_unchanged and (world is None or world.is_main):
        result = replace(result, warnings=(*result.warnings, *abandoned))
        log_run(project.root, "train", settings, {"run": result.run, "epochs": result.epochs})
    if result.stopped_because == "interrupted":
        raise KeyboardInterrupt
    return result


def on_gpus(settings: TrainSettings) -> TrainSettings:
    """`--gpus N` as one process for each GPU; other settings pass unchanged.

    Raises:
        UsageError: there are fewer GPUs here, or --procs or --device says something else.
    """
    if settings.gpus is None:
        return settings
    if settings.procs > 1 or settings.device not in ("auto", "cuda"):
        raise UsageError("--gpus does not go with --procs or --device", hint="--gpus N alone starts N processes.")
    import torch

    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found < settings.gpus:
        raise UsageError(
            f"--gpus {settings.gpus}: torch finds {found} CUDA GPUs on this machine",
            hint="fer doctor tells what torch sees. --procs N trains in N processes on the processor.",
        )
    return replace(settings, gpus=None, procs=settings.gpus, device="cuda")


def train_config(project: Project, settings: TrainSettings, *, resume: str = "") -> str:
    """The config.toml that a run with these settings, or the run to resume, would have, the recipe's plan included."""
    from fercli.stages.train import settings_text
    from fercli.stages.train.prepare import count_macs, prepare

    project.require(Face)
    project.require(Label)
    settings = settings_of(find_run(project.root, resume), settings) if resume else settings
    settings = with_split(project, _with_absolute_weights(_with_known_model(settings)))
    prepared = prepare(project, settings)
    count_macs(settings, prepared)  # refuses what no training could be made from
    return settings_text(settings, prepared.plan, prepared.form)


def with_split(project: Project, settings: TrainSettings) -> TrainSettings:
    """The settings with the name of a split that exists.

    Raises:
        MissingStageError: there is no such split, or several and none is called "default".
    """
    names = sorted(path.stem for path in (project.root / "manifests" / "splits").glob("*.csv"))
    name = settings.split or (names[0] if len(names) == 1 else "default")
    if name not in names:
        project.split_rows(name)  # says which splits there are
    return replace(settings, split=name)


def _with_known_model(settings: TrainSettings) -> TrainSettings:
    """The network by its own name: `emonext` is `emonext-base`."""
    # Standard library only: specs.py names the networks without building one.
    from fercli.models.table.specs import find_spec

    return replace(settings, model_name=find_spec(settings.model_name).name)


def _with_absolute_weights(settings: TrainSettings) -> TrainSettings:
    """The weights to begin with by a path that holds in every folder, for the run's config.toml."""
    weights = settings.backbone_weights
    # A link keeps its name: the suffix of what it leads to may say nothing.
    return replace(settings, backbone_weights=weights.absolute()) if weights else settings


def _inputs(project: Project, settings: TrainSettings, run: Run | None) -> dict[str, str]:
    """A digest of each thing that decides the weights; `run` is the one to resume."""
    return {
        "backbone": _backbone_digest(settings.backbone_weights, run),
        "settings": digest(identity(settings)),
        "classes": digest(project.classes),
        "faces": sha256_of(project.table_path(Face)),
        "labels": sha256_of(project.table_path(Label)),
        "split": sha256_of(project.split_path(settings.split)),
    }


def _backbone_digest(weights: Path | None, run: Run | None) -> str:
    if weights is None:
        return ""
    if run and (run.record.status == "finished" or kept_pretrained(run) is not None):
        return run.record.inputs.get("backbone", "")  # the file itself is needed no more
    if not weights.is_file():
        raise InputError(f"'{weights}': no such weights file", hint="fer models --weights says where to get weights.")
    return "+".join(map(sha256_of, weight_files(weights)))


def _plan_result(settings: TrainSettings, known: Run | None) -> TrainResult:
    verb = f"go on with run '{known.run_id}'" if known else f"train {settings.model_name} as a new run"
    return TrainResult(model=settings.model_name, is_dry_run=True, plan=(verb,))
