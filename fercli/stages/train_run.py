"""The working part of `fer train`: samples, plan, machine and model to a trained run folder."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fercli.core.errors import FerError, InputError
from fercli.core.files import replace_text
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Label, SplitRow
from fercli.core.runs import Run, RunRecord, create_run_folder, digest, holding, write_record
from fercli.core.tables import write_table
from fercli.stages.train_record import (
    draw_history,
    end_record,
    fail_record,
    now,
    package_versions,
    write_environment,
    write_model_card,
)
from fercli.stages.train_settings import TrainSettings, make_form, make_settings_plan, parse_values, settings_text

if TYPE_CHECKING:
    from torch import nn

    from fercli.data.dataset import CropReader
    from fercli.data.samples import Samples
    from fercli.data.transforms import InputFormat
    from fercli.learn.device import Machine
    from fercli.learn.recipe import Plan
    from fercli.learn.trainer import Faces, FitResult
    from fercli.models.specs import ModelSpec
    from fercli.models.weights import LoadReport
    from fercli.stages.train import TrainResult

# Face ids of public data sets begin with the name under which `fer add` took them.
_PUBLIC = {"fer2013": "fer2013", "ferplus": "ferplus", "rafdb": "raf-db", "raf-db": "raf-db", "affectnet": "affectnet7"}


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before a crop is read."""

    samples: "Samples"
    train: "Samples"
    val: "Samples"
    spec: "ModelSpec"
    plan: "Plan"
    form: "InputFormat"
    data_set: str
    warnings: tuple[str, ...]


def prepare(project: Project, settings: TrainSettings) -> Prepared:
    """Join the tables and settle the plan.

    Raises:
        InputError: nothing to train on.
    """
    from fercli.data.samples import load_samples
    from fercli.models.specs import MODELS

    samples = load_samples(
        project.root,
        project.classes,
        faces=project.required_rows(Face),
        labels=project.required_rows(Label),
        split_rows=project.split_rows(settings.split),
        with_soft_targets=settings.targets == "soft",
        fold=settings.fold,
    )
    spec = MODELS[settings.model_name]
    train, val = _limited(samples.of_split("train"), settings), samples.of_split("val")
    _check_enough(train, settings)
    data_set = _data_set(project, train)
    plan = make_settings_plan(settings, spec, data_set=data_set, num_train=len(train))
    form = make_form(settings, spec, plan)
    return Prepared(samples, train, val, spec, plan, form, data_set, tuple(_warnings(train, val, project)))


def run_training(
    project: Project,
    settings: TrainSettings,
    known: Run | None,
    inputs: Mapping[str, str],
    *,
    progress: Progress,
) -> "TrainResult":
    """Train in a new run folder, or go on in that of the interrupted run `known`; see `stages.train.train`."""
    prepared = prepare(project, settings)
    machine = _machine(settings, known.record if known else None)
    # Nothing is written before the model stands and the crops are read: a mistake leaves no run behind.
    model, backbone = _new_model(prepared, settings)
    train, val, failures = _read_crops(prepared, settings, progress)
    prepared = replace(prepared, train=train[0], val=val[0])
    folder = known.folder if known else create_run_folder(project.root, settings.model_name, settings.name)
    with holding(folder):
        record = _begin(project, settings, folder, prepared, machine, known, inputs)
        try:
            names = backbone.loaded if backbone else ()
            result = fit_in(folder, model, names, train[1], val[1], prepared, settings, machine, progress)
        except FerError as error:
            fail_record(folder, record, error.message)
            raise
        record = end_record(folder, record, result, prepared.train, prepared.val)
        draw_history(folder, result.history, result.best)
        write_model_card(folder, record, prepared.spec, prepared.plan, prepared.train, prepared.val)
    words = (*prepared.warnings, *_backbone_words(backbone, settings))
    return _result(folder, record, prepared, failures, warnings=words, was_resumed=result.was_resumed)


def fit_in(
    folder: Path,
    model: "nn.Module",
    pretrained: tuple[str, ...],
    train: "Faces",
    val: "Faces",
    prepared: Prepared,
    settings: TrainSettings,
    machine: "Machine",
    progress: Progress,
) -> "FitResult":
    """`learn.trainer.fit` with what was prepared."""
    from fercli.learn.trainer import fit

    return fit(
        model,
        train,
        val if len(val.targets) else None,
        prepared.plan,
        form=prepared.form,
        machine=machine,
        seed=settings.seed,
        folder=folder,
        meta=_meta(prepared, settings),
        pretrained=pretrained,
        time_limit_s=settings.time_limit_s,
        progress=progress,
    )


def _limited(train: "Samples", settings: TrainSettings) -> "Samples":
    if settings.limit is None or settings.limit >= len(train):
        return train
    import numpy as np

    chosen = np.random.default_rng(settings.seed).permutation(len(train))[: settings.limit]
    return train.select(sorted(chosen.tolist()))


def _check_enough(train: "Samples", settings: TrainSettings) -> None:
    if len(train) < 2:
        reasons = ", ".join(f"{reason}: {number}" for reason, number in train.left_out.items()) or "the split has none"
        raise InputError(
            f"split '{settings.split}' leaves {len(train)} faces to train on ({reasons})",
            hint="Label more faces (fer labels import), or split them anew (fer split).",
        )
    if len(set(train.targets.tolist())) < 2:
        raise InputError("all faces to train on have the same label", hint="Label faces of at least two classes.")


def _warnings(train: "Samples", val: "Samples", project: Project) -> list[str]:
    warnings = []
    missing = [name for name, number in train.counts().items() if not number]
    if missing:
        warnings.append(f"No face to train on is labelled {', '.join(missing)}; the model cannot learn to say it.")
    if not len(val):
        warnings.append("The split has no val faces: the last epoch is kept, and nothing tells when to stop.")
    elif absent := [name for name, number in val.counts().items() if not number and name not in missing]:
        warnings.append(f"No val face is labelled {', '.join(absent)}; the best epoch is chosen without it.")
    shared = sorted({name for name in train.subject_ids if name} & {name for name in val.subject_ids if name})
    if shared:
        warnings.append(f"{len(shared)} subjects are in train and in val; validation figures will be too good.")
    return warnings


def _data_set(project: Project, train: "Samples") -> str:
    """Which published data set the faces are, for its recipe; empty when they are the user's own."""
    from fercli.core.emotions import PRESETS

    prefixes = {face_id.split("/", 1)[0] for face_id in train.face_ids}
    if len(prefixes) == 1 and (name := _PUBLIC.get(prefixes.pop())):
        return name
    return "scfed" if project.classes == PRESETS["scfed"] else ""


def _machine(settings: TrainSettings, before: RunRecord | None) -> "Machine":
    """What was decided when the run began, else what this machine offers."""
    from fercli.learn.device import Machine, choose_machine

    if before is None or not before.decided:
        return choose_machine(settings.device, settings.precision, settings.threads)
    decided = {name: before.decided[name] for name in ("device", "precision", "reason", "num_threads", "device_name")}
    choose_machine(str(decided["device"]), str(decided["precision"]))  # refuses a device that is gone
    return Machine(**decided)  # type: ignore[arg-type]  # written by Machine.to_json


def _read_crops(
    prepared: Prepared, settings: TrainSettings, progress: Progress
) -> "tuple[tuple[Samples, Faces], tuple[Samples, Faces], list[Failure]]":
    train, train_faces, train_failures = _faces(prepared.train, prepared, settings, progress)
    val, val_faces, val_failures = _faces(prepared.val, prepared, settings, progress)
    if len(train) < 2:
        first = (train_failures + val_failures)[0]
        raise InputError(f"no crop can be read: {first.item}: {first.reason}", hint="Run: fer align --force")
    return (train, train_faces), (val, val_faces), train_failures + val_failures


def _faces(
    samples: "Samples", prepared: Prepared, settings: TrainSettings, progress: Progress
) -> "tuple[Samples, Faces, list[Failure]]":
    """Crops of some samples without those that cannot be read or, where the recipe says so, that are flat."""
    from fercli.data.dataset import load_crops, make_reader
    from fercli.learn.trainer import Faces

    if prepared.form.is_equalised:
        reader = make_reader(samples.root, samples.paths, prepared.form)
        samples = samples.select([place for place in range(len(samples)) if not _is_flat(reader, place)])
    limit = settings.ram_limit_mb * 2**20
    reader = make_reader(samples.root, samples.paths, prepared.form)
    crops = load_crops(reader, ram_limit_bytes=limit, num_workers=settings.workers, progress=progress)
    failures = [Failure(samples.face_ids[place], reason) for place, reason in crops.failures.items()]
    if failures:
        kept = [place for place in range(len(samples)) if place not in crops.failures]
        samples = samples.select(kept)
        crops = load_crops(make_reader(samples.root, samples.paths, prepared.form), ram_limit_bytes=limit)
    return samples, Faces(crops, samples.targets, samples.soft_targets), failures


def _is_flat(reader: "CropReader", place: int) -> bool:
    try:
        return reader.is_flat(place)
    except FerError:
        return False  # loading reports it


def _begin(
    project: Project,
    settings: TrainSettings,
    folder: Path,
    prepared: Prepared,
    machine: "Machine",
    known: Run | None,
    inputs: Mapping[str, str],
) -> RunRecord:
    """Write down what the run is made from, before the first step."""
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
        decided=machine.to_json(),
        versions=package_versions(),
    )
    write_record(folder, record)
    replace_text(folder / "config.toml", settings_text(settings, prepared.plan, prepared.form))
    write_environment(folder, machine)
    samples = prepared.samples
    rows = [SplitRow(name, split) for name, split in zip(samples.face_ids, samples.splits, strict=True)]
    write_table(folder / "split.csv", rows, SplitRow)
    write_table(folder / "labels.csv", project.rows(Label), Label, project.classes)
    return record


def _new_model(prepared: Prepared, settings: TrainSettings) -> "tuple[nn.Module, LoadReport | None]":
    import torch

    from fercli.data.seeding import derive_seed
    from fercli.models.build import build_model
    from fercli.models.weights import load_backbone_weights

    torch.manual_seed(derive_seed(settings.seed, "network"))
    options = parse_values(settings.model)
    model = build_model(prepared.spec.name, num_classes=len(prepared.samples.classes), **options)
    report = load_backbone_weights(model, settings.backbone_weights) if settings.backbone_weights else None
    return model, report


def _backbone_words(report: "LoadReport | None", settings: TrainSettings) -> list[str]:
    """Sentences on what became of `--backbone-weights`."""
    if report is None:
        return []
    name = settings.backbone_weights.name if settings.backbone_weights else ""
    counts = f"{len(report.loaded)} entries loaded, {len(report.missing)} missing, {len(report.unexpected)} unexpected"
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
    prepared: Prepared,
    failures: list[Failure],
    *,
    warnings: tuple[str, ...],
    was_resumed: bool,
) -> "TrainResult":
    from fercli.stages.train import record_result, stopped_by_clock

    result = record_result(
        folder,
        record,
        warnings=warnings,
        was_resumed=was_resumed,
        failures=tuple(failures),
    )
    if record.reason == "time limit":
        stop = stopped_by_clock(folder.name, result.epochs, prepared.plan.epochs)
        return replace(result, failures=(*result.failures, stop))
    return result
