"""Run a training: build samples, plan, machine and model, train, and save the run."""

import tomllib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from fercli.core.errors import CheckError, ProjectError, SettingsError, UsageError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Label, SplitRow
from fercli.core.runs import (
    RECORD_FILE,
    Run,
    RunRecord,
    create_run_folder,
    digest,
    fail_record,
    holding,
    next_number,
    now,
    package_versions,
    record_text,
    sweep_run_folders,
)
from fercli.core.settings import plain_settings
from fercli.core.words import counted
from fercli.data.run_crops import CROPS_FILE, CropRow, crop_rows
from fercli.data.seeding import derive_seed
from fercli.learn.checkpoints import state_files
from fercli.learn.compiling import Work, check_still_compiles, decide_compilation
from fercli.learn.device import Machine, apply_threads, choose_machine
from fercli.learn.pretrained import ready_to_learn, some_inputs
from fercli.learn.trainer import Faces, FitResult, Training, fit
from fercli.learn.world import World
from fercli.models.build import build_model
from fercli.models.pretrained.weights import LoadReport, load_backbone_weights
from fercli.stages.align.rules import recorded_rules
from fercli.stages.train.identity import inputs_of
from fercli.stages.train.prepare import Prepared, count_macs, prepare, read_crops
from fercli.stages.train.record import draw_history, end_record, environment, model_card
from fercli.stages.train.result import (
    TrainResult,
    finished_result,
    record_result,
    stopped_by_clock,
    validation_doubt,
)
from fercli.stages.train.resume import (
    check_counts,
    check_crops_of,
    check_named,
    kept_pretrained,
    take_hold,
    version_words,
)
from fercli.stages.train.settings import TrainSettings, parse_values, settings_text
from fercli.stages.train.trackers import check_trackers, open_trackers
from fercli.stages.train.watch import RunWatcher

# How long a finished training waits for a command that is writing.
_PATIENCE_S = 3600.0


def run_training(
    project: Project,
    settings: TrainSettings,
    known: Run | None,
    inputs: Mapping[str, str],
    *,
    progress: Progress,
    world: World,
) -> TrainResult:
    """Train in a new run folder, or go on in that of the interrupted run `known`; see `stages.train.train`."""
    check_trackers(settings.trackers)
    with ExitStack() as hold:
        known = world.from_main(partial(take_hold, known, hold)) if known else None
        if known and known.record.status == "finished":
            return finished_result(known)
        if known:
            world.from_main(partial(check_crops_of, project, known, progress))
        prepared = prepare(project, settings)
        before = known.record if known else None
        world.from_main(partial(check_named, project, settings, known))
        machine, compile_words = world.from_main(partial(_machine, settings, prepared, before, world))
        # Nothing is written before the model stands and the crops are read: a mistake leaves no run behind.
        kept = world.from_main(partial(kept_pretrained, known)) if known and settings.backbone_weights else None
        model, backbone = _new_model(prepared, settings, machine, settings.backbone_weights if kept is None else None)
        train, val, failures = read_crops(prepared, settings, progress)
        if known:
            check_counts(known, len(train[0]), len(val[0]))
        prepared = replace(prepared, train=train[0], val=val[0])
        faces = some_inputs(train[1], prepared.form, settings.seed)
        pretrained = ready_to_learn(model, backbone, prepared.plan, faces) if backbone else kept or ()
        work = _Work(project, settings, prepared, machine, world)
        folder, record = world.from_main(partial(_begin, work, known, inputs, hold, progress))
        job = _Job(**vars(work), folder=folder, pretrained=pretrained)
        if not world.is_main:
            return _follow(job, model, (train[1], val[1]), progress=progress)
        record, result = _fit_and_record(job, record, model, (train[1], val[1]), progress=progress)
    warnings = (*validation_doubt(record), *prepared.warnings)
    words = (*warnings, *compile_words, *_backbone_words(backbone, settings), *version_words(known))
    return _result(folder, record, failures, warnings=words, was_resumed=result.was_resumed)


def check_settings(project: Project, settings: TrainSettings, known: Run | None) -> tuple[str, ...]:
    """Refuse what `run_training` would refuse, as far as that is known before a crop or a weight is read.

    What can be warned of then comes back.

    Raises:
        FerError: too few faces, an impossible setting, or a device or package that is not here.
    """
    check_trackers(settings.trackers)
    check_named(project, settings, known)
    prepared = prepare(project, settings)
    count_macs(settings, prepared)
    # Several processes look at their own device: one looked at here would lose memory to this process.
    if settings.procs == 1:
        decided = known.record.decided if known else {}
        choose_machine(str(decided.get("device", settings.device)), settings.precision)
    return prepared.warnings


@dataclass(frozen=True)
class _Work:
    """What is to be trained, and where."""

    project: Project
    settings: TrainSettings
    prepared: Prepared
    machine: Machine
    world: World


@dataclass(frozen=True)
class _Job(_Work):
    """One training in its folder, ready to begin; `pretrained` names the parameters that came from a file."""

    folder: Path
    pretrained: tuple[str, ...]


def _follow(job: _Job, model: nn.Module, faces: tuple[Faces, Faces], *, progress: Progress) -> TrainResult:
    """Train with the main process, which alone writes."""
    try:
        result = _fit(job, model, faces, progress=progress)
    except CheckError:
        # The launcher ends all processes once one has failed: the main one must have written why.
        job.world.meet()
        raise
    return TrainResult(run=job.folder.name, status=result.status, stopped_because=result.reason)


def _fit_and_record(
    job: _Job, record: RunRecord, model: nn.Module, faces: tuple[Faces, Faces], *, progress: Progress
) -> tuple[RunRecord, FitResult]:
    """Train, and write into the run's folder how it went."""
    folder, prepared = job.folder, job.prepared
    config = tomllib.loads(settings_text(job.settings, prepared.plan, prepared.form))
    trackers = open_trackers(job.settings.trackers, folder, config, progress)
    watcher = RunWatcher(folder, num_epochs=prepared.plan.epochs, trackers=trackers, progress=progress)
    try:
        result = _fit(job, model, faces, progress=progress, watch=watcher)
    except (CheckError, UsageError, SettingsError) as error:
        # What lies outside the training, such as a full disk, leaves it interrupted: the same command goes on.
        fail_record(folder, record, error.message)
        watcher.finish("failed", {})
        if isinstance(error, CheckError):
            job.world.meet()
        raise
    number = next_number(job.project.root, "ended") if result.status == "finished" else 0
    record = end_record(record, result, prepared, number=number)
    watcher.finish(record.status, record.result)
    # All at once: there is no finished run without its curves and its model card.
    with job.project.commit(patience_s=_PATIENCE_S) as commit:
        commit.text(folder / RECORD_FILE, record_text(record))
        commit.text(folder / "model_card.md", model_card(record, prepared))
        if result.history:
            commit.data(folder / "curves.png", draw_history(result.history, result.best))
        # A run that is not known as finished goes on from its state.
        for path in state_files(folder / "checkpoints") if result.status == "finished" else ():
            commit.delete(path)
        counts = {"run": folder.name, "epochs": record.result["epochs"]}
        commit.log("train", plain_settings(job.settings), counts)
    return record, result


def _fit(
    job: _Job,
    model: nn.Module,
    faces: tuple[Faces, Faces],
    *,
    progress: Progress,
    watch: RunWatcher | None = None,
) -> FitResult:
    train, val = faces

    training = Training(
        train,
        val if len(val.targets) else None,
        job.prepared.plan,
        form=job.prepared.form,
        machine=job.machine,
        seed=job.settings.seed,
        folder=job.folder,
        meta=_meta(job.prepared, job.settings),
        pretrained=job.pretrained,
        time_limit_s=job.settings.time_limit_s,
        world=job.world,
        progress=progress,
        watch=watch,
    )
    return fit(model, training)


def _machine(
    settings: TrainSettings, prepared: Prepared, before: RunRecord | None, world: World
) -> tuple[Machine, tuple[str, ...]]:
    """What was decided when the run began, else what this machine offers; and warnings."""
    if before is not None and before.decided:
        machine = Machine.from_json(before.decided)
        choose_machine(machine.device, machine.precision)  # refuses a device that is gone
        check_still_compiles(machine)
        return machine, ()
    # Apple's GPU serves one process alone.
    is_shared = world.size > 1 and settings.device == "auto" and not torch.cuda.is_available()
    machine = choose_machine("cpu" if is_shared else settings.device, settings.precision, settings.threads)
    work = Work(count_macs(settings, prepared), prepared.plan.epochs * len(prepared.train))
    machine, warning = decide_compilation(machine, settings.compile, work)
    return machine, (warning,) if warning else ()


def _begin(
    work: _Work, known: Run | None, inputs: Mapping[str, str], hold: ExitStack, progress: Progress
) -> tuple[Path, RunRecord]:
    """Write down what the run is made from, all at once, before the first step; its folder and record come back.

    The folder is held until `hold` is closed.
    """
    project, settings, prepared = work.project, work.settings, work.prepared
    crops = crop_rows(project, prepared.samples, progress=progress) if known is None else []
    with project.commit(patience_s=_PATIENCE_S) as commit:
        if inputs_of(project, settings, known) != inputs:
            raise ProjectError(
                "another command changed what this training is made from just now", hint="Run the same command again."
            )
        if known is None:
            sweep_run_folders(project.root)
            folder = create_run_folder(project.root, settings.model_name, settings.name)
            hold.enter_context(holding(folder))
        else:
            folder = known.folder
        record = RunRecord(
            run_id=folder.name,
            model=settings.model_name,
            status="running",
            created_at=known.record.created_at if known else now(),
            fingerprint=digest(dict(inputs)),
            name=settings.name,
            data_set=prepared.data_set,
            classes=project.classes,
            seed=settings.seed,
            inputs=dict(inputs),
            decided={**work.machine.to_json(), "memory_format": "channels_last", "num_processes": work.world.size},
            versions=package_versions(),
            is_tryout=settings.limit is not None,
            study=settings.study or "",
            cutting=known.record.cutting if known else recorded_rules(project),
            begun=known.record.begun if known else next_number(project.root, "begun"),
        )
        commit.text(folder / RECORD_FILE, record_text(record))
        commit.text(folder / "config.toml", settings_text(settings, prepared.plan, prepared.form))
        commit.text(folder / "env.json", environment(work.machine))
        samples = prepared.samples
        rows = [SplitRow(name, split) for name, split in zip(samples.face_ids, samples.splits, strict=True)]
        commit.table(rows, SplitRow, folder / "split.csv")
        commit.table(project.rows(Label), Label, folder / "labels.csv")
        if known is None:
            commit.table(crops, CropRow, folder / CROPS_FILE)
    return folder, record


def _new_model(
    prepared: Prepared, settings: TrainSettings, machine: Machine, weights: Path | None
) -> tuple[nn.Module, LoadReport | None]:
    apply_threads(machine)  # on which the last digits of refitted normalisation hang
    torch.manual_seed(derive_seed(settings.seed, "network"))
    options = parse_values(settings.model)
    model = build_model(prepared.spec.name, num_classes=len(prepared.samples.classes), **options)
    return model, load_backbone_weights(model, weights) if weights else None


def _backbone_words(report: LoadReport | None, settings: TrainSettings) -> list[str]:
    """Sentences on what became of `--backbone-weights`."""
    if report is None:
        return []
    name = settings.backbone_weights.name if settings.backbone_weights else ""
    counts = (
        f"{counted(len(report.loaded), 'entry', 'entries')} loaded, {len(report.missing)} missing, "
        f"{len(report.unexpected)} unexpected"
    )
    return [f"Backbone weights '{name}' ({report.layout}): {counts}.", *report.notes]


def _meta(prepared: Prepared, settings: TrainSettings) -> dict[str, object]:
    return {
        "model": prepared.spec.name,
        "model_options": parse_values(settings.model),
        "classes": list(prepared.samples.classes),
        "form": prepared.form.to_json(),
    }


def _result(
    folder: Path,
    record: RunRecord,
    failures: list[Failure],
    *,
    warnings: tuple[str, ...],
    was_resumed: bool,
) -> TrainResult:
    result = record_result(
        folder,
        record,
        warnings=warnings,
        was_resumed=was_resumed,
        failures=tuple(failures),
    )
    if record.reason == "time limit":
        stop = stopped_by_clock(folder.name, result.epochs)
        return replace(result, failures=(*result.failures, stop))
    return result
