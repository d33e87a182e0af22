"""Which pretrained parameters rest in an epoch, and how they are kept from moving."""

from collections.abc import Collection

from torch import nn

from fercli.core.errors import UsageError
from fercli.learn.norms import NORMALISING
from fercli.learn.recipe import Plan


def resting(model: nn.Module, pretrained: Collection[str], plan: Plan, epoch: int) -> set[str]:
    """Names of the parameters that do not learn in `epoch` (from 0).

    "at-once": all pretrained ones until `plan.freeze_epochs`; "gradual": the share that rests shrinks evenly, the
    layers next to the head wake first.
    """
    if epoch >= plan.freeze_epochs:
        return set()
    names = [name for name, _ in model.named_parameters() if name in pretrained]
    share = 1 - epoch / plan.freeze_epochs if plan.thaw == "gradual" else 1.0
    return set(names[: round(share * len(names))])


def check_something_learns(model: nn.Module, pretrained: Collection[str], plan: Plan) -> None:
    """Refuse a plan under which every parameter rests at first.

    Raises:
        UsageError: the weights fill the whole network, and all of it is to rest.
    """
    if plan.freeze_epochs and not learnable(model) - resting(model, pretrained, plan, 0):
        raise UsageError(
            "freeze_epochs would freeze the whole model, because the weights file includes the head",
            hint="Omit freeze_epochs, or use weights of the backbone only.",
        )


def learnable(model: nn.Module) -> frozenset[str]:
    """Names of the parameters that the network lets learn; some keep parts at rest for good."""
    return frozenset(name for name, parameter in model.named_parameters() if parameter.requires_grad)


def freeze(model: nn.Module, may_learn: Collection[str], at_rest: Collection[str]) -> None:
    """Let `may_learn` learn except those `at_rest`; a resting batch normalisation keeps its statistics.

    A frozen network whose batch normalisation still follows the batches is not frozen: its outputs drift.
    """
    for name, parameter in model.named_parameters():
        if name in may_learn:
            parameter.requires_grad_(name not in at_rest)
            parameter.grad = None if name in at_rest else parameter.grad
    for prefix, module in model.named_modules():
        own = [f"{prefix}.{name}" for name, _ in module.named_parameters(recurse=False)]
        if isinstance(module, NORMALISING) and own and all(name in at_rest for name in own):
            module.eval()
