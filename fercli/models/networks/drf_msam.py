"""DRF-MSAM: a small grey-scale network of different receptive fields and multi-scale attention.

B pictures, C channels, H W pixels, K classes.
"""

# A module's call has no return type in torch, and Tensor.unflatten no types at all.
# mypy: disable-error-code="no-any-return,no-untyped-call"

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fercli.models.networks.layers import init_like_keras


class MultiBranch(nn.Module):
    """The sum of parallel convolutions of different kernels, each behind its own ReLU."""

    def __init__(self, in_channels: int, channels: int, kernels: tuple[int, ...]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Conv2d(in_channels, channels, k, padding=k // 2) for k in kernels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """A map of the same size."""
        total = F.relu(self.branches[0](x_BCHW), inplace=True)
        for branch in list(self.branches)[1:]:
            total = total + F.relu(branch(x_BCHW), inplace=True)
        return total


class MultiScaleAttention(nn.Module):
    """MSAM: sum of 1x1, 3x3 and 5x5 convolutions; sigmoid of a 1x1; its global mean, sigmoid again, weighs the input.

    Versions 0.1.0 and before weighed the sum in place of the input. Weights that were learnt so are
    known by lacking `weighs_input`, and go on to be used as they were learnt.
    """

    weighs_input: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scales = MultiBranch(channels, channels, (1, 3, 5))
        self.gate = nn.Conv2d(channels, channels, 1)
        self.register_buffer("weighs_input", torch.ones((), dtype=torch.uint8))
        # The same as a plain value, which a compiled network may branch on.
        self._weighs_input = True

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """A map of the same shape."""
        features = self.scales(x_BCHW)
        weight_BC = torch.sigmoid(torch.sigmoid(self.gate(features)).mean((2, 3)))
        return (x_BCHW if self._weighs_input else features) * weight_BC[:, :, None, None]

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:  # as torch has it
        kept = state_dict.setdefault(f"{prefix}weighs_input", torch.zeros((), dtype=torch.uint8))
        self._weighs_input = bool(kept)
        super()._load_from_state_dict(state_dict, prefix, *args)


class DrfMsam(nn.Module):
    """Third network of github.com/Mersen130/Facial-Expression-Recognition-CNN, for 48x48 grey pictures.

    97,223 parameters at 7 classes, 0.0327 G multiply-adds. Convolutions are padded to keep the map's size and drawn
    by Glorot's rule, as Keras does. Any input of at least 8 pixels works: the head sees a global mean.

    Args:
        num_classes: logits.
        width: channels.
        hidden: units of the dense layer.
    """

    def __init__(self, num_classes: int, *, width: int = 32, hidden: int = 512) -> None:
        super().__init__()
        self.receptive_fields = MultiBranch(1, width, (3, 5, 7))
        self.attention1 = MultiScaleAttention(width)
        self.attention2 = MultiScaleAttention(width)
        self.pool = nn.MaxPool2d(2)
        self.dense = nn.Linear(width, hidden)
        self.classify = nn.Linear(hidden, num_classes)
        init_like_keras(self)

    def forward(self, image_BCHW: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch classes"]:
        """Pixels in [0, 1] to logits."""
        x = self.pool(self.receptive_fields(image_BCHW))
        x = self.pool(self.attention1(x))
        x = self.pool(self.attention2(x))
        return self.classify(F.relu(self.dense(x.mean((2, 3)))))
