"""Batch normalisation that came folded into weights, given statistics again so that it can be learnt with."""

from collections.abc import Collection, Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def refit_norms(model: nn.Module, batches: Iterable[Tensor], parameters: Collection[str]) -> list[str]:
    """Set the normalisation that owns `parameters` to the statistics of `batches`; what the network says stays.

    Published weights often come with normalisation folded to a factor and a shift. The network then answers as it
    should, but while training it is normalised by each batch, of which such factors know nothing: the first step
    would undo what was learnt before. Here each running mean and variance becomes that of the pictures, and weight
    and bias change by as much.

    Args:
        model: in place; its mode is kept.
        batches: inputs of the network, as it is fed; one pass.
        parameters: names as `named_parameters` gives them.

    Returns:
        Names of all parameters of the normalisation that was set.
    """
    norms = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        and any(f"{name}.{own}" in parameters for own, _ in module.named_parameters())
    }
    sums = {name: _Sums(norm) for name, norm in norms.items()}
    hooks = [norm.register_forward_pre_hook(sums[name].add) for name, norm in norms.items()]
    was_training = model.training
    model.eval()
    try:
        for batch in batches:
            model(batch)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    for name, norm in norms.items():
        _set_statistics(norm, *sums[name].mean_and_var())
    return [f"{name}.{own}" for name, norm in norms.items() for own, _ in norm.named_parameters()]


class _Sums:
    """Count, sum and sum of squares of each channel, in float64."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        self.count = 0
        self.total, self.squares = torch.zeros(2, norm.num_features, dtype=torch.float64).unbind()

    def add(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x_BCHW = inputs[0].detach().to("cpu", torch.float64)
        self.count += x_BCHW[:, 0].numel()
        self.total += x_BCHW.sum((0, 2, 3))
        self.squares += x_BCHW.square().sum((0, 2, 3))

    def mean_and_var(self) -> tuple[Tensor, Tensor]:
        mean = self.total / max(1, self.count)
        return mean, (self.squares / max(1, self.count) - mean.square()).clamp(min=0)


def _set_statistics(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    before = norm.weight.double().cpu() * (norm.running_var.double().cpu() + norm.eps).rsqrt()
    shift = norm.bias.double().cpu() + (mean - norm.running_mean.double().cpu()) * before
    norm.weight.copy_(before * (var + norm.eps).sqrt())
    norm.bias.copy_(shift)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)
