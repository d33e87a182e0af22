"""Tables and settings to what a training learns from: samples, plan, input, crops."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fercli.core.errors import FerError, InputError, SettingsError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Label
from fercli.stages.train import TrainSettings, make_form, make_settings_plan, parse_values

if TYPE_CHECKING:
    from fercli.data.dataset import CropReader
    from fercli.data.samples import Samples
    from fercli.data.transforms import InputFormat
    from fercli.learn.recipe import Plan
    from fercli.learn.trainer import Faces
    from fercli.models.table.specs import ModelSpec

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
    from fercli.models.table.specs import MODELS

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
    train, val = (_limited(samples.of_split(name), settings) for name in ("train", "val"))
    _check_enough(train, settings)
    data_set = _data_set(project, train)
    plan = make_settings_plan(settings, spec, data_set=data_set, num_train=len(train))
    form = make_form(settings, spec, plan)
    return Prepared(samples, train, val, spec, plan, form, data_set, tuple(_warnings(train, val, project)))


def count_macs(settings: TrainSettings, prepared: Prepared) -> int:
    """Multiply-adds of a picture.

    Raises:
        SettingsError: an option that the network does not have, or a size that it cannot be fed.
    """
    from fercli.models.build import check_options
    from fercli.models.profile import profile_model

    name, size = prepared.spec.name, prepared.form.side
    options = check_options(name, parse_values(settings.model))
    try:
        return profile_model(name, num_classes=len(prepared.samples.classes), size=size, **options).macs
    except (RuntimeError, ValueError) as error:
        raise SettingsError(
            f"'{name}' cannot be fed pictures of {size} pixels: {str(error).splitlines()[0]}",
            hint=f"Leave image_size and window as they are. {prepared.spec.input_notes}".strip(),
        ) from error


def read_crops(
    prepared: Prepared, settings: TrainSettings, progress: Progress
) -> "tuple[tuple[Samples, Faces], tuple[Samples, Faces], list[Failure]]":
    """Samples and crops of train and of val, and the faces whose crops cannot be read.

    Raises:
        InputError: fewer than two crops to train on can be read, or are more than one grey.
    """
    train, train_faces, train_failures = _faces(prepared.train, prepared, settings, progress)
    val, val_faces, val_failures = _faces(prepared.val, prepared, settings, progress)
    if len(train) < 2 and train_failures:
        first = train_failures[0]
        raise InputError(f"no crop can be read: {first.item}: {first.reason}", hint="Run: fer align --force")
    if len(train) < 2:
        raise InputError(
            f"{len(prepared.train) - len(train)} of {len(prepared.train)} faces to train on are flat pictures",
            hint="See: fer check images",
        )
    return (train, train_faces), (val, val_faces), train_failures + val_failures


def _faces(
    samples: "Samples", prepared: Prepared, settings: TrainSettings, progress: Progress
) -> "tuple[Samples, Faces, list[Failure]]":
    """Crops of some samples without those that cannot be read or, where the recipe says so, that are flat."""
    from fercli.data.dataset import load_crops, make_reader
    from fercli.learn.trainer import Faces

    if prepared.form.is_equalised:
        reader = make_reader(samples.root, samples.paths, prepared.form)
        uneven = _uneven(reader, len(samples), progress)
        counted = {**samples.left_out, "flat picture": len(samples) - len(uneven)}
        samples = replace(samples.select(uneven), left_out=counted)
    limit = settings.ram_limit_mb * 2**20
    reader = make_reader(samples.root, samples.paths, prepared.form)
    crops = load_crops(reader, ram_limit_bytes=limit, num_workers=settings.workers, progress=progress)
    failures = [Failure(samples.face_ids[place], reason) for place, reason in crops.failures.items()]
    if failures:
        kept = [place for place in range(len(samples)) if place not in crops.failures]
        samples = samples.select(kept)
        reader = make_reader(samples.root, samples.paths, prepared.form)
        crops = load_crops(reader, ram_limit_bytes=limit, num_workers=settings.workers, is_checked=True)
    return samples, Faces(crops, samples.targets, samples.soft_targets), failures


def _uneven(reader: "CropReader", num_faces: int, progress: Progress) -> list[int]:
    """The places of the faces that are not flat."""
    places = []
    progress.start("look for flat pictures", num_faces)
    for place in range(num_faces):
        if not _is_flat(reader, place):
            places.append(place)
        progress.advance()
    return places


def _is_flat(reader: "CropReader", place: int) -> bool:
    try:
        return reader.is_flat(place)
    except FerError:
        return False  # loading reports it


def _limited(samples: "Samples", settings: TrainSettings) -> "Samples":
    if settings.limit is None or settings.limit >= len(samples):
        return samples
    import numpy as np

    chosen = np.random.default_rng(settings.seed).permutation(len(samples))[: settings.limit]
    return samples.select(sorted(chosen.tolist()))


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
