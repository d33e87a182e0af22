"""MSFF-CNN: three grey-scale branches of different depth, brought to one size and read by a wide dense layer.

B pictures, C channels, H W pixels, K classes.
"""

# A module's call has no return type in torch.
# mypy: disable-error-code="no-any-return"

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fercli.models.networks.layers import init_like_keras

# Keras' batch normalisation, which the notebook uses: epsilon 1e-3, average kept with weight 0.99.
_BN_EPS, _BN_MOMENTUM = 1e-3, 0.01


class Fusion(nn.Module):
    """Repeat the pixels of smaller maps until all have the size of the first, then stack their channels."""

    def forward(self, maps: list[Tensor]) -> Float[Tensor, "batch channels height width"]:
        """As many channels as all maps have together."""
        size = maps[0].shape[-2:]
        return torch.cat([maps[0], *(F.interpolate(x, size=size, mode="nearest") for x in maps[1:])], dim=1)


class MsffCnn(nn.Module):
    """Second network of github.com/Mersen130/Facial-Expression-Recognition-CNN, for 48x48 grey pictures.

    33,368,135 parameters at 7 classes; Keras also counts the 1,600 running means and variances and prints
    33,369,735. 0.1677 G multiply-adds. The dense layer reads every pixel, so the input size is fixed by `image_size`.

    Args:
        num_classes: of the last layer.
        width: channels of the first branch; the second has 2 and the third 4 times as many.
        hidden: width of the dense layer.
        dropout: before the last layer; the notebook tries 0.3, its printed run has none.
        image_size: side of the pictures, divisible by 8.
    """

    def __init__(
        self, num_classes: int, *, width: int = 32, hidden: int = 256, dropout: float = 0.0, image_size: int = 48
    ) -> None:
        super().__init__()
        if image_size % 8:
            raise ValueError(f"image_size is {image_size}; it must be divisible by 8")
        self.branches = nn.ModuleList(_branch(width * 2**i, i + 1) for i in range(3))
        self.fusion = Fusion()
        self.dense = nn.Linear(7 * width * (image_size // 2) ** 2, hidden)
        self.norm = nn.BatchNorm1d(hidden, _BN_EPS, _BN_MOMENTUM)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(hidden, num_classes)
        init_like_keras(self)

    def forward(self, image_BCHW: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch classes"]:
        """Pixels in [0, 1] to logits."""
        fused = self.fusion([branch(image_BCHW) for branch in self.branches])
        x = self.norm(F.relu(self.dense(fused.flatten(1)), inplace=True))
        return self.classify(self.dropout(x))


def _branch(channels: int, depth: int) -> nn.Sequential:
    """`depth` times conv 3x3, ReLU, BN, pool."""
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [
            nn.Conv2d(channels if i else 1, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(channels, _BN_EPS, _BN_MOMENTUM),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*layers)
