"""Parameters and multiply-adds of a model, counted as papers do."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from fercli.models.build import build_model
from fercli.models.table.specs import find_spec

Rule = Callable[[nn.Module, Tensor, Tensor], int]


@dataclass(frozen=True)
class Profile:
    """Counts of one network for one picture.

    `parameters` is everything in the module, `trainable` what training moves, `buffers` the running statistics.
    `macs` and `ran_parameters` follow thop, as the papers' tables do: leaf layers that ran, multiply-adds of
    convolutions and linear layers, 4 per normalised number, 1 per PReLU, attention's matrix products left out.
    """

    parameters: int
    trainable: int
    buffers: int
    macs: int
    ran_parameters: int


def profile_model(name: str, *, num_classes: int, size: int | None = None, **options: object) -> Profile:
    """Count the network `name` on the meta device: no memory, no arithmetic, well under a second.

    Args:
        name: as in `fer train --model`.
        num_classes: of the last layer.
        size: side of the picture; None is the network's own.
        options: as in `build_model`.
    """
    spec = find_spec(name)
    with torch.device("meta"):
        model = build_model(name, num_classes=num_classes, **options)
        image = torch.zeros(1, spec.channels, size or spec.input_size, size or spec.input_size)
    return profile_network(model, image)


def profile_network(model: nn.Module, image_BCHW: Tensor) -> Profile:
    """Count a network that is already built, by one evaluation of `image_BCHW`; its mode is put back."""
    counts: dict[nn.Module, int] = {}

    def keep(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        rule = _RULES.get(type(module)) or (_norm if isinstance(module, nn.LayerNorm) else None)
        work = (
            rule(module, inputs[0], output)
            if rule and isinstance(inputs[0], Tensor) and isinstance(output, Tensor)
            else 0
        )
        counts[module] = counts.get(module, 0) + work

    leaves = [module for module in model.modules() if not list(module.children())]
    handles = [module.register_forward_hook(keep) for module in leaves]
    was_training = model.training
    try:
        with torch.inference_mode():
            model.eval()(image_BCHW)
    finally:
        for handle in handles:
            handle.remove()
        model.train(was_training)
    parameters = list(model.parameters())
    return Profile(
        parameters=sum(p.numel() for p in parameters),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        buffers=sum(b.numel() for b in model.buffers()),
        macs=sum(counts.values()),
        ran_parameters=sum(p.numel() for module in counts if type(module) in _RULES for p in module.parameters()),
    )


def _convolution(module: nn.Module, x: Tensor, y: Tensor) -> int:
    weight, groups = module.weight, module.groups
    assert isinstance(weight, Tensor)
    assert isinstance(groups, int)
    return y.numel() * (x.shape[1] // groups) * prod(weight.shape[2:])


def _linear(module: nn.Module, x: Tensor, y: Tensor) -> int:
    return y.numel() * x.shape[-1]


def _norm(module: nn.Module, x: Tensor, y: Tensor) -> int:
    return 4 * x.numel()


def _pointwise(module: nn.Module, x: Tensor, y: Tensor) -> int:
    return x.numel()


def _mean(module: nn.Module, x: Tensor, y: Tensor) -> int:
    return x.numel() + y.numel()


_RULES: dict[type[nn.Module], Rule] = {
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.ConvTranspose1d: _convolution,
    nn.Linear: _linear,
    nn.BatchNorm1d: _norm,
    nn.BatchNorm2d: _norm,
    nn.LayerNorm: _norm,
    nn.PReLU: _pointwise,
    nn.AdaptiveAvgPool2d: _mean,
}
