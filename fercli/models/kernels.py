"""Layers that give torch's numbers and learn faster than torch's own on a processor in half precision.

B pictures, C channels, H W pixels.
"""

# A module's call has no return type in torch.
# mypy: disable-error-code="no-any-return"

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

_FAST_KERNEL = 3


class DepthwiseConv2d(nn.Conv2d):
    """A convolution with one square kernel a channel; the map keeps its size at stride 1.

    oneDNN has no vectorised backward pass for these in bfloat16 at a stride of 2 or with kernels above 3: it takes 2 to
    80 times as long as in float32, so that is what such a layer learns in (docs/training.md).
    """

    def __init__(self, channels: int, kernel: int, stride: int = 1, *, bias: bool = False) -> None:
        super().__init__(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=bias)

    def forward(self, x_BCHW: Float[Tensor, "batch channels height width"]) -> Tensor:
        """A map of the same channels, in the precision of `x_BCHW`."""
        is_slow = self.stride[0] > 1 or self.kernel_size[0] > _FAST_KERNEL
        if not (is_slow and _learns_in_half(x_BCHW)):
            return super().forward(x_BCHW)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x_BCHW.float()).to(x_BCHW.dtype)


class ChannelPReLU(nn.PReLU):
    """PReLU with one slope a channel.

    torch's backward pass in bfloat16 is not vectorised; as a difference of two ReLUs it takes two fifths of the time
    and gives the same numbers. The gradient where the input is exactly 0 is 0 then instead of the slope.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, x_BCHW: Float[Tensor, "batch channels height width"]) -> Tensor:
        """A map of the same shape."""
        if not _learns_in_half(x_BCHW):
            return super().forward(x_BCHW)
        slope_C11 = self.weight.to(x_BCHW.dtype)[:, None, None]
        return F.relu(x_BCHW) - slope_C11 * F.relu(-x_BCHW)


def _learns_in_half(x: Tensor) -> bool:
    is_half = x.dtype == torch.bfloat16 and torch.is_autocast_enabled("cpu")
    return is_half and x.device.type == "cpu" and torch.is_grad_enabled()
