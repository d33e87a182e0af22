"""Lay out the variants of a study: which trainings there are, and what is compared with what."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import product
from typing import Any

from fercli.core.errors import CheckError, InputError, MissingStageError, SettingsError, UsageError
from fercli.core.project import Project
from fercli.core.runs import digest
from fercli.core.settings import BUILT_IN, assignment_layers, resolve_settings, suggestion
from fercli.core.splits import choose_split
from fercli.models.table.specs import MODELS, find_spec
from fercli.stages.study import AblateSettings, Kind, Study, StudySettings, SweepSettings, Variant
from fercli.stages.train.identity import inputs_of, settle
from fercli.stages.train.series import series_of
from fercli.stages.train.settings import TrainSettings, identity

FULL = "full"
# What refuses one variant and leaves the others alone.
REFUSALS = (CheckError, InputError, SettingsError, UsageError)
# With these, variants would be trained or judged on different faces, or differ in nothing that is learnt.
_NOT_SWEPT = ("fold", "limit", "name", "seed", "seeds", "split", "split-name", "split_name", "study", "time-limit")


def ablation(project: Project, settings: AblateSettings) -> Study:
    """The full model and its variants.

    Raises:
        UsageError: the model has no variants, or none of this name.
    """
    spec = find_spec(settings.model_name)
    if not spec.ablations:
        able = " or ".join(name for name, one in MODELS.items() if one.ablations)
        raise UsageError(f"model '{spec.name}' has no variants to ablate", hint=f"Use --model {able}.")
    if "variant" in settings.model:
        raise UsageError(
            "--set model.variant names one variant, and fer ablate trains several",
            hint=f"Name them: --variants {settings.model['variant']}",
        )
    own = tuple(name for name, one in spec.ablations.items() if one.is_of_paper)
    names = tuple(dict.fromkeys(name for name in settings.variants or own if name != FULL))
    if unknown := [name for name in names if name not in spec.ablations]:
        raise UsageError(f"unknown variant '{unknown[0]}'", hint=suggestion(unknown[0], list(spec.ablations)))
    changes: dict[str, dict[str, Any]] = {FULL: {}}
    changes |= {name: {"model.variant": name} for name in names}
    return _study(project, settings, "ablate", "variant", {name: (name, one) for name, one in changes.items()})


def swept(project: Project, settings: SweepSettings) -> Study:
    """One variant for each value, or for each combination of the values of several settings.

    Raises:
        UsageError: fewer than two values, one named twice, or a setting that cannot be swept.
    """
    values = {key: _words(given) for key, given in settings.values.items()}
    for key, given in values.items():
        if key.removeprefix("train.") in _NOT_SWEPT:
            raise UsageError(
                f"'{key}' cannot be swept",
                hint="Variants are compared on the same faces; several seeds and folds: --seeds 0,1,2, --fold all.",
            )
        if len(set(given)) < len(given):
            raise UsageError(f"a value of '{key}' is named twice", hint="Name each value once.")
    if not values or all(len(given) < 2 for given in values.values()):
        raise UsageError("a sweep needs several values", hint="For example: fer sweep --set model.topn=1,10,15")
    shown = {key: key.removeprefix("model.").removeprefix("train.") for key in values}
    changes = {}
    for combination in product(*values.values()):
        parts = [f"{shown[key]}={value}" for key, value in zip(values, combination, strict=True)]
        label = combination[0] if len(values) == 1 else "\n".join(parts)
        changes[", ".join(parts)] = (label, dict(zip(values, combination, strict=True)))
    against = _against(settings.against, {name: label for name, (label, _) in changes.items()})
    return replace(_study(project, settings, "sweep", ", ".join(shown.values()), changes), against=against)


def _against(wanted: str, labels: Mapping[str, str]) -> str:
    """The name of the variant that is meant by its name or its value; the first where none is named."""
    if not wanted:
        return next(iter(labels))
    known = {**{label: name for name, label in labels.items()}, **{name: name for name in labels}}
    if wanted not in known:
        raise UsageError(f"--against {wanted}: no such value is tried", hint=suggestion(wanted, list(labels)))
    return known[wanted]


def _words(values: Any) -> tuple[str, ...]:  # one value or several, of any type that TOML has
    """The values as `--set` spells them."""
    several = values if isinstance(values, list | tuple) else (values,)
    return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in several)


def _study(
    project: Project,
    settings: StudySettings,
    kind: Kind,
    axis: str,
    changes: Mapping[str, tuple[str, Mapping[str, str]]],
) -> Study:
    """The variants with their trainings; what is changed for each stands beside its label.

    Raises:
        MissingStageError: no split, or one without a test set.
        FerError: every variant is refused; the reason of the first.
    """
    base = TrainSettings(**{column.name: getattr(settings, column.name) for column in fields(TrainSettings)})
    split = choose_split(project, settings.split)
    if not any(row.split == "test" for row in project.split_rows(split)):
        raise MissingStageError(
            f"split '{split}' has no test set, on which the variants are compared", hint="Make one: fer split"
        )
    variants, errors, shared = [], [], dict[str, dict[str, str]]()
    for name, (label, change) in changes.items():
        try:
            trainings = tuple(_trainings(project, replace(_changed(base, change), study=f"{kind} {name}")))
            prints = tuple(_fingerprints(project, trainings, shared))
            variants.append(Variant(name, label, trainings, prints))
        except REFUSALS as error:
            errors.append(error)
            variants.append(Variant(name, label, refusal=error.told))
    if len(errors) == len(variants):
        raise errors[0]
    models = dict.fromkeys(one.model_name for variant in variants for one in variant.trainings)
    return Study(kind, axis, "-".join(models), split, tuple(variants), variants[0].name)


def _changed(base: TrainSettings, change: Mapping[str, str]) -> TrainSettings:
    """The settings with some of them changed, each by its name as in `--set`."""
    layers = assignment_layers([f"{key}={value}" for key, value in change.items()], "train")
    resolved = resolve_settings(TrainSettings, layers)
    changed = {
        name: getattr(resolved.settings, name) for name, origin in resolved.origins.items() if origin != BUILT_IN
    }
    tables = {name: getattr(base, name) | changed.pop(name) for name in ("model", "augment") if name in changed}
    return replace(base, **changed, **tables)


def _trainings(project: Project, settings: TrainSettings) -> Iterator[TrainSettings]:
    for one in series_of(project, settings):
        settled, _ = settle(project, one)
        yield settled


def _fingerprints(
    project: Project, trainings: Sequence[TrainSettings], shared: dict[str, dict[str, str]]
) -> Iterable[dict[str, str]]:
    """What each training is made from; tables that several share are read once."""
    for one in trainings:
        key = f"{one.split} {one.backbone_weights}"
        if key not in shared:
            shared[key] = inputs_of(project, one, None)
        yield {**shared[key], "settings": digest(identity(one))}
