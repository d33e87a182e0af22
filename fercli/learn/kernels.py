"""Layers that give torch's numbers and learn faster than torch's own on a processor in bfloat16.

B pictures, C channels, H W pixels.
"""

# A module's call has no return type in torch.
# mypy: disable-error-code="no-any-return"

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

_FAST_KERNEL = 3


def ease_kernels(model: nn.Module) -> int:
    """Replace layers of `model` in place whose backward pass in bfloat16 is slow on a processor; how many.

    They share the parameters of those they replace, under the same names, and evaluate as they did.
    """
    count = 0
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if eased := _eased(child):
                parent.register_module(name, eased)
                count += 1
    return count


class DepthwiseConv2d(nn.Conv2d):
    """A convolution with one kernel a channel that learns in float32, whatever autocast says.

    oneDNN has no vectorised backward pass for these in bfloat16 at a stride of 2 or with kernels above 3: it takes 2 to
    80 times as long as in float32 (docs/training.md).
    """

    def forward(self, input: Float[Tensor, "batch channels height width"]) -> Tensor:  # noqa: A002 - torch's
        """A map of the same channels, in the precision that autocast would give."""
        if not (torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")):
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float()).to(torch.get_autocast_dtype("cpu"))

    @classmethod
    def around(cls, layer: nn.Conv2d) -> "DepthwiseConv2d":
        """The form of `layer` that shares its parameters."""
        with torch.device("meta"):
            eased = cls(
                layer.in_channels,
                layer.out_channels,
                layer.kernel_size,  # type: ignore[arg-type]  # of two numbers always
                layer.stride,  # type: ignore[arg-type]
                layer.padding,  # type: ignore[arg-type]
                layer.dilation,  # type: ignore[arg-type]
                layer.groups,
                layer.bias is not None,
                layer.padding_mode,
            )
        eased.weight, eased.bias = layer.weight, layer.bias
        return eased


class ChannelPReLU(nn.PReLU):
    """PReLU with one slope a channel, as the difference of two ReLUs while it learns in bfloat16.

    torch's own backward pass is not vectorised there and takes two and a half times as long. Where the input is exactly
    0 the gradient is 0 then, instead of the slope.
    """

    def forward(self, input: Float[Tensor, "batch channels height width"]) -> Tensor:  # noqa: A002 - torch's
        """A map of the same shape."""
        if not (torch.is_grad_enabled() and input.dtype == torch.bfloat16):
            return super().forward(input)
        slope_C11 = self.weight.to(input.dtype)[:, None, None]
        return F.relu(input) - slope_C11 * F.relu(-input)

    @classmethod
    def around(cls, layer: nn.PReLU) -> "ChannelPReLU":
        """The form of `layer` that shares its slopes."""
        with torch.device("meta"):
            eased = cls(layer.num_parameters)
        eased.weight = layer.weight
        return eased


def _eased(layer: nn.Module) -> nn.Module | None:
    if type(layer) is nn.PReLU and layer.num_parameters > 1:
        return ChannelPReLU.around(layer)
    if type(layer) is nn.Conv2d and layer.groups == layer.in_channels > 1:
        is_slow = max(layer.stride) > 1 or max(layer.kernel_size) > _FAST_KERNEL
        return DepthwiseConv2d.around(layer) if is_slow else None
    return None
