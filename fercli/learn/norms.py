"""Add normalisation to a network that has none, and fold it back into the network as published.

Plain stacks of convolutions under a global mean learn slowly: their features differ little between pictures. While
training, every convolution's output and the input of every linear layer is normalised over the batch; what is written
has the normalisation folded into the weights, so the network, its names and its number of parameters are the paper's.

B pictures, C channels, H W pixels.
"""

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from fercli.models.pretrained.refit import ChannelSums, run_through

_MOMENTUM = 0.1
_EPSILON = 1e-5
_NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


class NormedConv2d(nn.Conv2d):
    """A convolution with batch normalisation after it; `bias` is the normalisation's shift."""

    gain: nn.Parameter
    running_mean: Tensor
    running_var: Tensor
    momentum = _MOMENTUM

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """A normalised map."""
        x_BCHW = self._conv_forward(input, self.weight, None)
        return F.batch_norm(
            x_BCHW, self.running_mean, self.running_var, self.gain, self.bias, self.training, self.momentum, _EPSILON
        )

    @classmethod
    def around(cls, conv: nn.Conv2d) -> "NormedConv2d":
        """The normalised form of `conv`, sharing its parameters; the shift starts at zero, as normalisations do."""
        plain: Any = conv  # torch's stub gives wider types for what a convolution stores than for what it takes
        normed = cls(
            plain.in_channels,
            plain.out_channels,
            plain.kernel_size,
            plain.stride,
            plain.padding,
            plain.dilation,
            plain.groups,
            padding_mode=plain.padding_mode,
            device=plain.weight.device,
        )
        normed.weight = conv.weight
        normed.bias = nn.Parameter(torch.zeros(conv.out_channels, device=conv.weight.device))
        normed.gain = nn.Parameter(torch.ones(conv.out_channels, device=conv.weight.device))
        _add_statistics(normed, conv.out_channels)
        return normed

    def calibrate(self, mean: Tensor, var: Tensor, bias: Tensor) -> None:
        """Take statistics of the plain convolution without its `bias`; gain and shift become what undoes them."""
        assert self.bias is not None
        self.running_mean.copy_(mean)
        self.running_var.copy_(var)
        self.gain.copy_((var + _EPSILON).sqrt())
        self.bias.copy_(bias + mean.to(bias))

    def folded(self) -> dict[str, Tensor]:
        """Weight and bias of the plain convolution that does the same."""
        factor = self.gain * (self.running_var + _EPSILON).rsqrt()
        assert self.bias is not None
        return {"weight": self.weight * factor[:, None, None, None], "bias": self.bias - self.running_mean * factor}


class NormedLinear(nn.Linear):
    """A linear layer whose input is normalised over the batch."""

    running_mean: Tensor
    running_var: Tensor
    momentum = _MOMENTUM

    def forward(self, input: Float[Tensor, "batch features"]) -> Float[Tensor, "batch outputs"]:  # noqa: A002 - torch's
        """As a linear layer."""
        normed = F.batch_norm(
            input.float(), self.running_mean, self.running_var, None, None, self.training, self.momentum, _EPSILON
        )
        return super().forward(normed)

    @classmethod
    def around(cls, linear: nn.Linear) -> "NormedLinear":
        """The form of `linear` with normalised input, sharing its parameters."""
        normed = cls(linear.in_features, linear.out_features, device=linear.weight.device)
        normed.weight, normed.bias = linear.weight, linear.bias
        _add_statistics(normed, linear.in_features)
        return normed

    def calibrate(self, mean: Tensor, var: Tensor, bias: Tensor) -> None:
        """Take statistics of the layer's input; weight and bias become what undoes them."""
        self.running_mean.copy_(mean)
        self.running_var.copy_(var)
        self.bias.copy_(bias + self.weight @ mean.to(bias))
        self.weight.mul_((var + _EPSILON).sqrt().to(bias))

    def folded(self) -> dict[str, Tensor]:
        """Weight and bias of the plain layer that does the same."""
        factor = (self.running_var + _EPSILON).rsqrt()
        return {"weight": self.weight * factor, "bias": self.bias - self.weight @ (self.running_mean * factor)}


# Layers that count batches into running statistics while training.
NORMALISING = (nn.modules.batchnorm._BatchNorm, NormedConv2d, NormedLinear)


def add_norms(model: nn.Module) -> bool:
    """Normalise the layers of `model` in place if it has no normalisation of its own; whether it was done."""
    if any(isinstance(module, _NORMS) for module in model.modules()):
        return False
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Conv2d and child.bias is not None:
                parent.register_module(name, NormedConv2d.around(child))
            elif type(child) is nn.Linear and child.bias is not None:
                parent.register_module(name, NormedLinear.around(child))
    return True


@torch.no_grad()
def add_calibrated_norms(model: nn.Module, batches: Iterable[Tensor]) -> list[str]:
    """As `add_norms`, for weights that were learnt already: what the network says of `batches` stays.

    Each layer's statistics become those of the batches, and gain and shift (or weight and bias) change by as much; with
    the plain start of `add_norms` the first batch would normalise away what the weights hold.

    Returns:
        Names of all parameters of the layers that are now normalised; none if the network had normalisation.
    """
    layers = {
        name: module
        for name, module in model.named_modules()
        if type(module) in (nn.Conv2d, nn.Linear) and module.bias is not None
    }
    if any(isinstance(module, _NORMS) for module in model.modules()):
        return []
    sums = {name: ChannelSums(layer.weight.shape[type(layer) is nn.Linear]) for name, layer in layers.items()}

    def watch(name: str, layer: nn.Module) -> RemovableHandle:
        if type(layer) is nn.Linear:
            return layer.register_forward_pre_hook(lambda _, inputs: sums[name].add(inputs[0]))
        bias = layer.bias[:, None, None]  # type: ignore[index]  # a tensor
        return layer.register_forward_hook(lambda _, inputs, output: sums[name].add(output - bias))

    run_through(model, batches, [watch(name, layer) for name, layer in layers.items()])
    biases = {name: layer.bias.detach().clone() for name, layer in layers.items()}
    add_norms(model)
    for name in layers:
        model.get_submodule(name).calibrate(*sums[name].mean_and_var(), biases[name])  # type: ignore[operator]  # its own method
    return [f"{name}.{own}" for name in layers for own, _ in model.get_submodule(name).named_parameters()]


@torch.no_grad()
def plain_state(model: nn.Module) -> dict[str, Tensor]:
    """The state of `model` as a network without `add_norms` has it; a copy on the CPU."""
    folded = {name: module for name, module in model.named_modules() if isinstance(module, NormedConv2d | NormedLinear)}
    state = {
        key: value.detach().cpu().clone()
        for key, value in model.state_dict().items()
        if key.rpartition(".")[0] not in folded
    }
    for name, module in folded.items():
        state |= {f"{name}.{key}": value.detach().cpu().clone() for key, value in module.folded().items()}
    return state


def _add_statistics(module: nn.Module, num: int) -> None:
    weight = module.weight
    assert isinstance(weight, Tensor)
    module.register_buffer("running_mean", torch.zeros(num, device=weight.device))
    module.register_buffer("running_var", torch.ones(num, device=weight.device))
