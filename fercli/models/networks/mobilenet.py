"""MobileNet, for faces: the network that weights learnt on face identities come in at a small size.

B pictures, C channels, H W pixels, K classes.
"""

# A module's call has no return type in torch.
# mypy: disable-error-code="no-any-return"

import itertools

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

# Blocks that halve the map, counted from 0.
_HALVING = frozenset({1, 3, 5, 11})


class SameConv(nn.Module):
    """A 3x3 convolution padded as TensorFlow's "SAME": at stride 2, an even side gets its zeros at the far end only."""

    def __init__(self, in_channels: int, channels: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        padding = 1 if stride == 1 else 0
        self.conv = nn.Conv2d(in_channels, channels, 3, stride, padding, groups=groups, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """A map of `channels`, its sides divided by the stride and rounded up."""
        conv = self.conv
        if conv.stride == (1, 1):
            return conv(x_BCHW)
        height, width = x_BCHW.shape[-2:]
        padded = F.pad(x_BCHW, (width % 2, 1, height % 2, 1))
        if conv.groups == 1 or not self.training or padded.device.type != "cpu":
            return conv(padded)
        # oneDNN's backward of strided depthwise convolutions takes some twenty times as long as that of plain ones:
        # a plain one, and every second of its results, is the same.
        return F.avg_pool2d(F.conv2d(padded, conv.weight, groups=conv.groups), 1, 2)


class SeparableBlock(nn.Module):
    """A depthwise 3x3 and a pointwise convolution, each with batch normalisation and ReLU6.

    Source: MobileNets, figure 3, right.
    """

    def __init__(self, in_channels: int, channels: int, *, stride: int) -> None:
        super().__init__()
        self.depthwise = SameConv(in_channels, in_channels, stride=stride, groups=in_channels)
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.pointwise = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """A map of `channels`, its sides divided by the stride and rounded up."""
        x_BCHW = F.relu6(self.norm1(self.depthwise(x_BCHW)))
        return F.relu6(self.norm2(self.pointwise(x_BCHW)))


class MobileNet(nn.Module):
    """MobileNet's convolutions, without its head; fed BGR, as the face weights for it were learnt.

    Source: Howard et al., MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications,
    arXiv:1704.04861, table 1.

    Args:
        widths: channels of the first convolution and of the 13 blocks.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        if len(widths) != 14:
            raise ValueError(f"{len(widths)} widths; it takes 14: of the first convolution and of 13 blocks")
        self.stem = SameConv(3, widths[0], stride=2)
        self.norm = nn.BatchNorm2d(widths[0])
        self.blocks = nn.Sequential(
            *(
                SeparableBlock(before, channels, stride=2 if place in _HALVING else 1)
                for place, (before, channels) in enumerate(itertools.pairwise(widths))
            )
        )

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels _ _"]:
        """Normalised BGR pictures to the last map, its sides a 32nd of theirs, rounded up."""
        return self.blocks(F.relu6(self.norm(self.stem(image_BCHW))))


class FaceMobileNet(nn.Module):
    """MobileNet with a linear layer on the mean of its last map, to be started from weights learnt on faces.

    The pictures are normalised as `fer models fercli-mobilenet` says: values of 0 to 255 less ImageNet's means.

    Args:
        num_classes: logits.
        widths: channels of the first convolution and of the 13 blocks.
        dropout: probability that a feature before the last layer is zero while training.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        widths: tuple[int, ...] = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024),
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.backbone = MobileNet(widths)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(widths[-1], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """Normalised RGB pictures to logits."""
        maps = self.backbone(image_BCHW.flip(1))
        return self.classify(self.dropout(maps.mean((2, 3))))
