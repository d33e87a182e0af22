"""`fer models`: list the models, and where pretrained weights come from; no torch, no project."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fercli.core.baseline import HOW_TO_GET, installed_baseline
from fercli.core.baseline import NAME as BASELINE
from fercli.core.errors import InputError
from fercli.core.results import StageResult
from fercli.core.runs import Run

# Standard library only, unlike the networks beside them.
from fercli.models.pretrained.sources import WEIGHTS, PretrainedWeights
from fercli.models.table.specs import MODELS, ModelSpec, find_spec


@dataclass(frozen=True, kw_only=True)
class ModelsResult(StageResult):
    """What is known of the networks.

    Attributes:
        models: all networks, or the one that was named; parameters are for 7 classes.
        weights: files that start a backbone, when they were asked for or one network was named.
        baseline: what the trained weights of the baseline package are worth; None where it isn't installed.
    """

    models: tuple[ModelSpec, ...]
    weights: tuple[PretrainedWeights, ...] = ()
    baseline: dict[str, Any] | None = None  # JSON


def models(name: str | None = None, *, with_weights: bool = False) -> ModelsResult:
    """Tell of all networks, or of one and the weights that fit it.

    Raises:
        UsageError: no network has this name.
        InputError: the baseline is asked for and not installed.
    """
    found = installed_baseline()
    baseline = baseline_of(found) if found else None
    if name is None:
        return ModelsResult(
            models=tuple(MODELS.values()),
            weights=WEIGHTS if with_weights else (),
            baseline=baseline,
            next_command="fer models sfer-mdfae",
        )
    if name == BASELINE:
        if found is None:
            raise InputError("the baseline is not installed", hint=HOW_TO_GET)
        spec = find_spec(found.record.model)
        return ModelsResult(models=(spec,), baseline=baseline, next_command="fer predict MEDIA --model baseline")
    spec = find_spec(name)
    fitting = tuple(weights for weights in WEIGHTS if spec.name in weights.models)
    return ModelsResult(models=(spec,), weights=fitting, next_command=f"fer train --model {spec.name}")


def baseline_of(run: Run) -> dict[str, Any]:  # JSON
    """What run.json says of the baseline: its network, classes, crops, state and scores, and where its card lies."""
    record = run.record
    return {
        "network": record.model,
        "classes": record.classes,
        "trained_on": record.data_set,
        "state": record.reason,
        "cutting": record.cutting,
        "scores": record.result.get("scores", {}),
        "card": str(Path(run.folder) / "MODEL_CARD.md"),
    }
