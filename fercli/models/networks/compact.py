"""FerCompact, a network of this package: residual blocks for 48x48 grey faces, sized for a CPU.

B pictures, C channels, H W pixels, N branches, K classes.
"""

# A module's call has no return type in torch.
# mypy: disable-error-code="no-any-return"

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two normed 3x3 convolutions beside a shortcut, which is a mean pool and a 1x1 where the shape changes.

    Source: He et al., Deep Residual Learning, CVPR 2016, figure 2; the pooled shortcut is He et al., Bag of Tricks,
    CVPR 2019, ResNet-D.
    """

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            pool = nn.AvgPool2d(stride) if stride != 1 else nn.Identity()
            match = nn.Conv2d(in_channels, channels, 1, bias=False)
            self.shortcut = nn.Sequential(pool, match, nn.BatchNorm2d(channels))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """A map of the block's channels, its side divided by the stride."""
        x = F.relu(self.norm1(self.conv1(x_BCHW)), inplace=True)
        x = self.norm2(self.conv2(x))
        return F.relu(x + self.shortcut(x_BCHW), inplace=True)


class CompactFeatures(NamedTuple):
    """What the objective needs besides the logits: each branch's own."""

    logits_BK: Tensor
    branch_logits_BNK: Tensor


class FerCompact(nn.Module):
    """Ours, not a paper's: a stem at full size, stages that halve the map, the last of them once for each branch.

    A branch ends in a verdict of its own and is trained for itself (`learn.objectives.each_branch`); their
    probabilities are averaged, so that the network is an ensemble whose members share what all of them would learn.
    Only plain 3x3 convolutions in multiples of 32 channels, which bf16 kernels of CPUs run nearest to their peak;
    depthwise ones would leave them idle. All but the stem works on halved maps, because at 48x48 normalisation costs
    as much as convolution. Sides divisible by 8.

    Source of the branches: Siqueira et al., Efficient Facial Feature Learning with Wide Ensemble-Based Convolutional
    Neural Networks, AAAI 2020, figure 1; theirs are nine, and are added one after the other while training.

    Args:
        num_classes: logits.
        stem: channels of the first convolution.
        widths: channels of the stages.
        depths: residual blocks of the stages.
        branches: how many verdicts are averaged.
        shared: stages before the branches part; at least one stage is each branch's own.
        dropout: probability that a feature before the last layer is zero while training.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        stem: int = 32,
        widths: tuple[int, ...] = (64, 128, 256),
        depths: tuple[int, ...] = (2, 2, 2),
        branches: int = 1,
        shared: int = 1,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if len(widths) != len(depths):
            raise ValueError(f"{len(widths)} widths for {len(depths)} depths; one of each for a stage")
        if branches < 1 or not 0 <= shared < len(widths):
            raise ValueError(f"{branches} branches after {shared} of {len(widths)} stages; at least one of each own")
        self.stem = nn.Sequential(nn.Conv2d(1, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem), nn.ReLU(True))
        before = (stem, *widths)
        places = range(len(widths))

        def stages(own: range) -> nn.Sequential:
            return nn.Sequential(*(_stage(before[place], widths[place], depths[place]) for place in own))

        self.stages = stages(places[:shared])
        self.branches = nn.ModuleList(stages(places[shared:]) for _ in range(branches))
        # The maps of all branches, one after the other along the channels: where a CAM is drawn from.
        self.maps = nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.ModuleList(nn.Linear(before[-1], num_classes) for _ in range(branches))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, image_BCHW: Float[Tensor, "batch 1 height width"]) -> CompactFeatures:
        """Normalised grey pictures to the branches' logits, and to those whose softmax is the branches' mean."""
        x_BCHW = self.stages(self.stem(image_BCHW))
        maps = self.maps(torch.cat([branch(x_BCHW) for branch in self.branches], dim=1))
        means = self.dropout(maps.mean((2, 3))).chunk(len(self.branches), dim=1)
        pairs = zip(self.classify, means, strict=True)
        logits_BNK = torch.stack([classify(mean) for classify, mean in pairs], dim=1)
        mixed = F.log_softmax(logits_BNK.float(), dim=2).logsumexp(dim=1) - math.log(len(self.branches))
        return CompactFeatures(mixed, logits_BNK)

    def forward(self, image_BCHW: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch classes"]:
        """Normalised grey pictures to logits: the logarithms of the branches' mean probabilities."""
        return self.forward_features(image_BCHW).logits_BK


def _stage(in_channels: int, channels: int, depth: int) -> nn.Sequential:
    blocks = [ResidualBlock(in_channels, channels, 2)]
    return nn.Sequential(*blocks, *(ResidualBlock(channels, channels, 1) for _ in range(depth - 1)))
