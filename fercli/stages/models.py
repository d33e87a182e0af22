"""`fer models`: list the models, and where pretrained weights come from; no torch, no project."""

from dataclasses import dataclass

from fercli.core.results import StageResult

# Standard library only, unlike the networks beside them.
from fercli.models.pretrained.sources import WEIGHTS, PretrainedWeights
from fercli.models.table.specs import MODELS, ModelSpec, find_spec


@dataclass(frozen=True, kw_only=True)
class ModelsResult(StageResult):
    """What is known of the networks.

    Attributes:
        models: all networks, or the one that was named; parameters are for 7 classes.
        weights: files that start a backbone, when they were asked for or one network was named.
    """

    models: tuple[ModelSpec, ...]
    weights: tuple[PretrainedWeights, ...] = ()


def models(name: str | None = None, *, with_weights: bool = False) -> ModelsResult:
    """Tell of all networks, or of one and the weights that fit it.

    Raises:
        UsageError: no network has this name.
    """
    if name is None:
        chosen = tuple(MODELS.values())
        return ModelsResult(
            models=chosen, weights=WEIGHTS if with_weights else (), next_command="fer models sfer-mdfae"
        )
    spec = find_spec(name)
    fitting = tuple(weights for weights in WEIGHTS if spec.name in weights.models)
    return ModelsResult(models=(spec,), weights=fitting, next_command=f"fer train --model {spec.name}")
