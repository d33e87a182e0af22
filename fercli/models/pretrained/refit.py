"""Batch normalisation that came folded into weights, given statistics again so that it can be learnt with."""

from collections.abc import Collection, Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


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
    sums = {name: ChannelSums(norm.num_features) for name, norm in norms.items()}
    hooks = [
        norm.register_forward_pre_hook(lambda _, inputs, own=sums[name]: own.add(inputs[0]))
        for name, norm in norms.items()
    ]
    run_through(model, batches, hooks)
    for name, norm in norms.items():
        _set_statistics(norm, *sums[name].mean_and_var())
    return [f"{name}.{own}" for name, norm in norms.items() for own, _ in norm.named_parameters()]


class ChannelSums:
    """Count, sum and sum of squares of each channel over many batches, in float64."""

    def __init__(self, num_channels: int) -> None:
        self.count = 0
        self.total, self.squares = torch.zeros(2, num_channels, dtype=torch.float64).unbind()

    def add(self, x: Float[Tensor, "batch channels ..."]) -> None:
        """Count one batch."""
        x = x.detach().to("cpu", torch.float64)
        others = [axis for axis in range(x.ndim) if axis != 1]
        self.count += x[:, 0].numel()
        self.total += x.sum(others)
        self.squares += x.square().sum(others)

    def mean_and_var(self) -> tuple[Tensor, Tensor]:
        """Of each channel; the variance is that of the batches themselves, not the unbiased one."""
        mean = self.total / max(1, self.count)
        return mean, (self.squares / max(1, self.count) - mean.square()).clamp(min=0)


@torch.no_grad()
def run_through(model: nn.Module, batches: Iterable[Tensor], hooks: Sequence[RemovableHandle]) -> None:
    """Show `model` the batches in evaluation mode while `hooks` look on; mode and hooks are taken back."""
    was_training = model.training
    model.eval()
    try:
        for batch in batches:
            model(batch)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()


def _set_statistics(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    before = norm.weight.double().cpu() * (norm.running_var.double().cpu() + norm.eps).rsqrt()
    shift = norm.bias.double().cpu() + (mean - norm.running_mean.double().cpu()) * before
    norm.weight.copy_(before * (var + norm.eps).sqrt())
    norm.bias.copy_(shift)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)
