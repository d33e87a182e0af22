"""FerCompact, a network of this package: plain convolutions for 48x48 grey faces, sized for a CPU.

B pictures, C channels, H W pixels, N columns, K classes.
"""

# A module's call has no return type in torch.
# mypy: disable-error-code="no-any-return"

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class CompactFeatures(NamedTuple):
    """What the objective needs besides the logits: each column's own."""

    logits_BK: Tensor
    column_logits_BNK: Tensor


class FerCompact(nn.Module):
    """Ours, not a paper's: columns of stages, each with a verdict of its own; their probabilities are averaged.

    A stage is 3x3 convolutions with BN and ReLU; a halving maximum stands between stages.
    Columns see the same picture, share nothing and are trained each for itself (`learn.objectives.each_column`): an
    ensemble in one network. Only plain 3x3 convolutions in multiples of 32 channels, which bf16 kernels of CPUs run
    nearest to their peak; depthwise ones would leave them idle. Any side of at least 2 ** (stages - 1) pixels.

    Source of the stages: Simonyan and Zisserman, ICLR 2015, configuration B, with the norms of Ioffe and Szegedy, 2015.

    Args:
        num_classes: logits.
        widths: channels of the stages.
        depth: convolutions of a stage.
        columns: networks side by side.
        dropout: probability that a feature before the last layer is zero while training.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        widths: tuple[int, ...] = (32, 64, 128, 256, 384),
        depth: int = 2,
        columns: int = 2,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if min(len(widths), depth, columns) < 1:
            raise ValueError("widths, depth and columns are at least one")
        self.columns = nn.ModuleList(_column(widths, depth) for _ in range(columns))
        # The maps of all columns, one after the other along the channels: where a CAM is drawn from.
        self.maps = nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.ModuleList(nn.Linear(widths[-1], num_classes) for _ in range(columns))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, image_BCHW: Float[Tensor, "batch 1 height width"]) -> CompactFeatures:
        """Normalised grey pictures to the columns' logits, and to those whose softmax is the columns' mean."""
        x_BCHW = self.maps(torch.cat([column(image_BCHW) for column in self.columns], dim=1))
        means = self.dropout(x_BCHW.mean((2, 3))).chunk(len(self.columns), dim=1)
        pairs = zip(self.classify, means, strict=True)
        logits_BNK = torch.stack([classify(mean) for classify, mean in pairs], dim=1)
        mixed = F.log_softmax(logits_BNK.float(), dim=2).logsumexp(dim=1) - math.log(len(self.columns))
        return CompactFeatures(mixed, logits_BNK)

    def forward(self, image_BCHW: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch classes"]:
        """Normalised grey pictures to logits: the logarithms of the columns' mean probabilities."""
        return self.forward_features(image_BCHW).logits_BK


def _column(widths: tuple[int, ...], depth: int) -> nn.Sequential:
    before = (1, *widths)
    stages = (_stage(before[place], width, depth) for place, width in enumerate(widths))
    halved = [nn.Sequential(nn.MaxPool2d(2), stage) if place else stage for place, stage in enumerate(stages)]
    return nn.Sequential(*halved)


def _stage(in_channels: int, channels: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for place in range(depth):
        conv = nn.Conv2d(channels if place else in_channels, channels, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
