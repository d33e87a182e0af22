"""Prepare a training from tables and settings: samples, plan, input, crops."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fercli.core.emotions import PRESETS
from fercli.core.errors import FerError, InputError, SettingsError
from fercli.core.memory import read_state
from fercli.core.people import people_doubt, unmatched_in_split
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Label
from fercli.core.settings import suggestion
from fercli.core.words import counted
from fercli.data.batches import RamCrops, SizedCrops, StreamedCrops
from fercli.data.dataset import CropReader, load_crops, load_sized_crops, make_reader
from fercli.data.samples import Samples, load_samples
from fercli.data.transforms import InputFormat
from fercli.learn.recipe import Plan, fast_size, make_plan, paper_size, with_changes
from fercli.learn.trainer import Faces
from fercli.models.build import check_options
from fercli.models.profile import profile_model
from fercli.models.table.specs import ModelSpec, find_spec
from fercli.stages.train.result import SETS
from fercli.stages.train.settings import TrainSettings, parse_values

# Changes of pictures, and the largest amount of each; at a zoom of 1 nothing would be left.
_CHANGES = {
    "flip": 1.0,
    "rotate_deg": 180.0,
    "shift": 1.0,
    "zoom": 0.9,
    "move": 1.0,
    "brightness": 1.0,
    "contrast": 1.0,
    "grey": 1.0,
    "noise": 1.0,
    "noise_std": 1.0,
    "erase": 1.0,
    "erase_area": 1.0,
    "flip_vertical": 1.0,
    "scale": 2.0,
}
# An image shrunk to less than this share of its frame shows nothing.
_LEAST_SCALE = 0.1
_PUBLISHED = ("fer2013", "ferplus", "raf-db", "affectnet", "scfed", "sferd")


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before a crop is read."""

    samples: Samples
    train: Samples
    val: Samples
    spec: ModelSpec
    plan: Plan
    form: InputFormat
    data_set: str
    warnings: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def prepare(project: Project, settings: TrainSettings) -> Prepared:
    """Join the tables and settle the plan.

    Raises:
        InputError: nothing to train on.
    """
    split_rows = project.split_rows(settings.split)
    assert settings.fold != "all"  # a series trains one after the other
    samples = load_samples(
        project.root,
        project.classes,
        faces=project.required_rows(Face),
        labels=project.required_rows(Label),
        split_rows=split_rows,
        with_soft_targets=settings.targets == "soft",
        fold=settings.fold,
    )
    spec = find_spec(settings.model_name)
    train, val = (_limited(samples.of_split(name), settings) for name in ("train", "val"))
    _check_enough(train, settings)
    data_set = data_set_of(project, train.face_ids)
    # A paper's recipe for these classes serves other faces too; only their name would be wrong.
    recipe_set = data_set or ("scfed" if project.classes == PRESETS["scfed"] else "")
    plan = make_settings_plan(settings, spec, data_set=recipe_set, num_train=len(train))
    form = make_form(settings, spec, plan)
    doubts = people_doubt(unmatched_in_split(project, split_rows), SETS)
    without_test = _without_test(settings.split) if "test" not in samples.splits else ()
    warnings = (*doubts, *_warnings(train, val, project), *without_test, *_changed_recipe(plan), *_weighted_twice(plan))
    return Prepared(samples, train, val, spec, plan, form, data_set, warnings, doubts)


def count_macs(settings: TrainSettings, prepared: Prepared) -> int:
    """Multiply-adds of a picture.

    Raises:
        SettingsError: an option that the network does not have, or a size that it cannot be fed.
    """
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
) -> tuple[tuple[Samples, Faces], tuple[Samples, Faces], list[Failure]]:
    """Samples and crops of train and of val, and the faces whose crops cannot be read.

    Raises:
        InputError: fewer than two crops to train on can be read, or are more than one grey.
    """
    train, train_faces, train_failures = _faces(prepared.train, prepared, settings, progress)
    val, val_faces, val_failures = _faces(prepared.val, prepared, settings, progress, is_sized=True)
    if len(train) < 2 and train_failures:
        face_id, first = next(iter(train_failures.items()))
        raise InputError(f"no crop can be read; {face_id}: {first.message}", hint=first.hint) from first
    if len(train) < 2:
        raise InputError(
            f"{len(prepared.train) - len(train)} of {counted(len(prepared.train), 'face')} to train on "
            f"are flat pictures",
            hint="See: fer check images",
        )
    failures = [Failure(face_id, error.told) for face_id, error in (train_failures | val_failures).items()]
    return (train, train_faces), (val, val_faces), failures


def _faces(
    samples: Samples, prepared: Prepared, settings: TrainSettings, progress: Progress, *, is_sized: bool = False
) -> tuple[Samples, Faces, dict[str, FerError]]:
    """Crops of some samples without those that cannot be read or, where the recipe says so, that are flat.

    With `is_sized` each crop keeps its own size, as in `fer eval` and `fer predict`; else all have that of the largest.
    """

    def load(samples: Samples, *, is_checked: bool = False) -> RamCrops | StreamedCrops | SizedCrops:
        how: dict[str, Any] = {"ram_limit_bytes": settings.ram_limit_mb * 2**20, "num_workers": settings.workers}
        how |= {"is_checked": is_checked, "progress": SILENT if is_checked else progress}
        if is_sized:
            return load_sized_crops(samples.root, samples.paths, prepared.form, **how)
        return load_crops(make_reader(samples.root, samples.paths, prepared.form), **how)

    if prepared.form.is_equalised:
        reader = make_reader(samples.root, samples.paths, prepared.form)
        uneven = _uneven(reader, len(samples), progress)
        counted = {**samples.left_out, "flat picture": len(samples) - len(uneven)}
        samples = replace(samples.select(uneven), left_out=counted)
    crops = load(samples)
    failures = {samples.face_ids[place]: error for place, error in crops.failures.items()}
    if failures:
        kept = [place for place in range(len(samples)) if place not in crops.failures]
        samples = samples.select(kept)
        crops = load(samples, is_checked=True)
    return samples, Faces(crops, samples.targets, samples.soft_targets), failures


def _uneven(reader: CropReader, num_faces: int, progress: Progress) -> list[int]:
    """The places of the faces that are not flat."""
    places = []
    progress.start("look for flat pictures", num_faces)
    for place in range(num_faces):
        if not _is_flat(reader, place):
            places.append(place)
        progress.advance()
    return places


def _is_flat(reader: CropReader, place: int) -> bool:
    try:
        return reader.is_flat(place)
    except FerError:
        return False  # loading reports it


def _limited(samples: Samples, settings: TrainSettings) -> Samples:
    if settings.limit is None or settings.limit >= len(samples):
        return samples
    chosen = np.random.default_rng(settings.seed).permutation(len(samples))[: settings.limit]
    return samples.select(sorted(chosen.tolist()))


def _check_enough(train: Samples, settings: TrainSettings) -> None:
    if len(train) < 2:
        reasons = ", ".join(f"{reason}: {number}" for reason, number in train.left_out.items()) or "the split has none"
        raise InputError(
            f"split '{settings.split}' leaves {counted(len(train), 'face')} to train on ({reasons})",
            hint="Label more faces (fer labels import), or split them anew (fer split).",
        )
    if len(set(train.targets.tolist())) < 2:
        raise InputError("all faces to train on have the same label", hint="Label faces of at least two classes.")


def _changed_recipe(plan: Plan) -> list[str]:
    """A sentence where the paper's recipe was asked for and then changed, by an option or by fer.toml."""
    given = [name.replace("augmentation.", "augment.") for name, source in plan.sources.items() if source == "given"]
    if not {"paper", "code"} & {*plan.sources.values()}:
        return []  # all of it is ours
    return [f"The paper's recipe was changed: {', '.join(given)} (see --print-config)."] if given else []


def _weighted_twice(plan: Plan) -> list[str]:
    """A sentence where rare classes are made up for twice."""
    if plan.class_weights == "none" or plan.sampler != "balanced":
        return []
    return [
        f"Class weights ({plan.class_weights}) and the balanced sampler both make up for rare classes, which then "
        "count for too much. Use one of them: --class-weights none, or --set sampler=shuffle."
    ]


def _warnings(train: Samples, val: Samples, project: Project) -> list[str]:
    warnings = []
    missing = [name for name, number in train.counts().items() if not number]
    if missing:
        warnings.append(f"No face to train on is labelled {', '.join(missing)}; the model cannot learn to say it.")
    if not len(val):
        warnings.append("The validation set is empty: the last epoch is kept and early stopping is off.")
    elif absent := [name for name, number in val.counts().items() if not number and name not in missing]:
        warnings.append(f"No val face is labelled {', '.join(absent)}; the best epoch is chosen without it.")
    shared = sorted({name for name in train.subject_ids if name} & {name for name in val.subject_ids if name})
    if shared:
        warnings.append(
            f"{counted(len(shared), 'subject is', 'subjects are')} in train and in val; validation "
            f"figures will be too good."
        )
    return warnings


def _without_test(name: str) -> tuple[str, ...]:
    return (
        f"Split '{name}' has no test set: `fer eval` can use the validation set alone (--split val), by which the "
        "epoch was chosen.",
    )


def data_set_of(project: Project, face_ids: Iterable[str]) -> str:
    """The published data set that all of these faces are; empty unless `fer add --source` brought them.

    A name alone says nothing: a folder of anybody's own faces may be called fer2013.
    """
    states = [read_state(project.root, f"add-{name}") for name in {face_id.partition("/")[0] for face_id in face_ids}]
    sources = {str(state.settings.get("source", "")) if state else "" for state in states}
    source = sources.pop() if len(sources) == 1 else ""
    if source == "affectnet":
        return "affectnet8" if "contempt" in project.classes else "affectnet7"
    return source if source in _PUBLISHED else ""


def make_settings_plan(settings: TrainSettings, spec: ModelSpec, *, data_set: str, num_train: int) -> Plan:
    """The recipe's plan with what the user set instead.

    Raises:
        SettingsError: an objective or a change of pictures that does not exist, or that the network cannot give.
    """
    plan = make_plan(spec, settings.recipe, data_set=data_set, num_train=num_train)
    names = {column.name for column in dataclasses.fields(Plan)} - {"augmentation"}
    given = {name: getattr(settings, name, None) for name in names}
    changes: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    changes["augmentation"] = _augmentation(settings.augment)
    _check_objective(settings.objective, spec)
    return with_changes(plan, changes)


def make_form(settings: TrainSettings, spec: ModelSpec, plan: Plan) -> InputFormat:
    """What the network is fed; "fast" feeds the smaller of the sizes that a network takes."""
    size = settings.image_size or (fast_size(spec) if settings.recipe == "fast" else paper_size(spec))
    return InputFormat.of_spec(
        spec,
        size=size,
        is_equalised=plan.is_equalised,
        window=plan.window,
        norm=plan.norm,
        # What was always grey in training is grey afterwards, too.
        is_grey=plan.augmentation.get("grey", 0.0) == 1.0,
    )


def _augmentation(values: Mapping[str, Any]) -> dict[str, Any]:  # TOML
    amounts = parse_values(values)
    for name, value in amounts.items():
        if name not in _CHANGES:
            raise SettingsError(
                f"no change of pictures is called 'augment.{name}'", hint=suggestion(name, list(_CHANGES))
            )
        lowest = _LEAST_SCALE if name == "scale" else 0.0
        highest, is_pair = _CHANGES[name], name in ("erase_area", "scale")
        numbers = value if is_pair and isinstance(value, list | tuple) else (value,)
        fits = len(numbers) == 1 + is_pair and all(type(number) in (int, float) for number in numbers)
        # Written so that nan, which compares with nothing, does not pass.
        if not fits or not all(lowest <= number <= highest for number in numbers) or list(numbers) != sorted(numbers):
            form = "two numbers, the smaller one first," if is_pair else "a number"
            raise SettingsError(
                f"'augment.{name}' cannot be '{value}'", hint=f"It takes {form} from {lowest:g} to {highest:g}."
            )
    return {name: tuple(value) if isinstance(value, list | tuple) else float(value) for name, value in amounts.items()}


def _check_objective(objective: str | None, spec: ModelSpec) -> None:
    # These two work on logits alone; the others need what only their own network gives.
    allowed = sorted({"cross-entropy", "poster", spec.objective})
    if objective is not None and objective not in allowed:
        raise SettingsError(
            f"objective '{objective}' does not go with '{spec.name}'", hint=suggestion(objective, allowed)
        )
