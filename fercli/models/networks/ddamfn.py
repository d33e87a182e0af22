"""DDAMFN: a MobileFaceNet of mixed kernels whose last map is weighted by attention along rows and columns.

B pictures, C channels, H W pixels, K classes.
"""

# A module's call has no return type in torch, and Tensor.split no types at all.
# mypy: disable-error-code="no-any-return,no-untyped-call"

from functools import reduce
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fercli.models.networks.backbones import conv_unit, init_convolutions
from fercli.models.networks.layers import FixedResizeRule, resize_image

INPUT_SIZE = 112


class DdamfnFeatures(NamedTuple):
    """Logits, the backbone's last map, and each head's attention map, which the objective drives apart."""

    logits_BK: Tensor
    maps_BCHW: Tensor
    heads: tuple[Tensor, ...]


class MixedDepthwise(nn.Module):
    """Depthwise convolutions whose kernel depends on the channel group.

    Source: Tan and Le, MixConv, BMVC 2019. No norm or activation follows; the authors' code has both but skips them.
    """

    def __init__(self, groups: dict[int, int], stride: int) -> None:
        super().__init__()
        self.splits = list(groups.values())
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
            for kernel, channels in groups.items()
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """A map of the same channels."""
        parts = x_BCHW.split(self.splits, dim=1)
        return torch.cat([conv(part) for conv, part in zip(self.convs, parts, strict=True)], dim=1)


class AxisGate(nn.Module):
    """From a row vector and a column vector per channel to a gate per pixel: shared 1x1, BN, h-swish; two 1x1, sigmoid.

    Source: Hou et al., Coordinate Attention, CVPR 2021, eq. 6-9.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(8, channels // 32)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.norm = nn.BatchNorm2d(hidden)
        self.rows = nn.Conv2d(hidden, channels, 1)
        self.columns = nn.Conv2d(hidden, channels, 1)

    def forward(self, rows_BCH1: Tensor, columns_BC1W: Tensor) -> Tensor:
        """The outer product of both gates, "batch channels height width"."""
        both = torch.cat([rows_BCH1, columns_BC1W.transpose(2, 3)], dim=2)
        both = F.hardswish(self.norm(self.squeeze(both)))
        rows, columns = both.split([rows_BCH1.shape[2], columns_BC1W.shape[3]], dim=2)
        return torch.sigmoid(self.rows(rows)) * torch.sigmoid(self.columns(columns.transpose(2, 3)))


class CoordinateAttention(nn.Module):
    """Weigh a map by gates read off its means along rows and columns."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Modules rather than means, because thop counts them and the published figure holds that count.
        self.row_mean = nn.AdaptiveAvgPool2d((None, 1))
        self.column_mean = nn.AdaptiveAvgPool2d((1, None))
        self.gate = AxisGate(channels)

    def forward(self, x_BCHW: Float[Tensor, "batch channels height width"]) -> Tensor:
        """A map of the same shape."""
        return x_BCHW * self.gate(self.row_mean(x_BCHW), self.column_mean(x_BCHW))


class DirectionAttention(nn.Module):
    """One head: like coordinate attention, but rows and columns are weighed by learned kernels instead of averaged.

    Gives the attention map itself. Source: DDAMFN, section 3.3.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.rows = _full_depthwise(channels, (1, size))
        self.columns = _full_depthwise(channels, (size, 1))
        self.gate = AxisGate(channels)

    def forward(self, x_BCHW: Float[Tensor, "batch channels height width"]) -> Tensor:
        """Attention of the shape of the map, in (0, 1)."""
        return self.gate(self.rows(x_BCHW), self.columns(x_BCHW))


class MixedBlock(nn.Module):
    """1x1 expansion, mixed depthwise convolution, coordinate attention, linear 1x1; added to the input at stride 1."""

    def __init__(self, in_channels: int, channels: int, groups: dict[int, int], stride: int) -> None:
        super().__init__()
        expansion = sum(groups.values())
        self.is_residual = stride == 1
        self.expand = conv_unit(in_channels, expansion, 1)
        self.depthwise = MixedDepthwise(groups, stride)
        self.attention = CoordinateAttention(expansion)
        self.project = conv_unit(expansion, channels, 1, is_linear=True)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Map to map."""
        y = self.project(self.attention(self.depthwise(self.expand(x_BCHW))))
        return x_BCHW + y if self.is_residual else y


class MixedFeatureNet(nn.Module):
    """The backbone: 112 pixels to 512x7x7; `width` scales every layer, `repeats` are the residual blocks per stage."""

    def __init__(self, width: float = 1.0, repeats: tuple[int, int, int] = (9, 16, 6)) -> None:
        super().__init__()

        def scaled(channels: int) -> int:
            return max(4, int(channels * width))

        def groups(**kernels: int) -> dict[int, int]:
            return {int(key[1:]): scaled(channels) for key, channels in kernels.items()}

        c64, c128, c256 = scaled(64), scaled(128), scaled(256)
        self.num_channels = scaled(512)
        self.conv1 = conv_unit(3, c64, 3, 2)
        self.conv2 = conv_unit(c64, c64, 3, groups=c64)
        self.conv3 = _mixed_stage(
            c64, c64, first=groups(k3=64, k5=32, k7=32), rest=groups(k3=96, k5=32), repeats=repeats[0]
        )
        self.conv4 = _mixed_stage(
            c64, c128, first=groups(k3=128, k5=64, k7=64), rest=groups(k3=192, k5=64), repeats=repeats[1]
        )
        first = groups(k3=256, k5=256, k7=256, k9=256)
        self.conv5 = _mixed_stage(c128, c256, first=first, rest=groups(k3=172, k5=170, k7=170), repeats=repeats[2])
        self.conv6 = conv_unit(c256, self.num_channels, 1)

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels h w"]:
        """A sixteenth of the picture's size."""
        x = self.conv2(self.conv1(image_BCHW))
        return self.conv6(self.conv5(self.conv4(self.conv3(x))))


class Ddamfn(nn.Module):
    """Zhang et al., A Dual-Direction Attention Mixed Feature Network, Electronics 2023.

    Two heads and 7 classes: 4,105,999 parameters and 563,549,088 multiply-adds, as thop counts the authors' code; its
    module holds 4.187 M, because norms, activations and 7x7 convolutions that never run are left out here. A picture
    of another size than `image_size` is resized (the authors only ever feed 112).

    Args:
        num_classes: of the last layer.
        heads: attention heads; their maximum weighs the map.
        resize: how a picture of another size is brought there.
        image_size: side of the pictures, divisible by 16. The heads' kernels span the last map, so it is fixed; other
            sides than 112 are ours, for small pictures and small machines.
        width, repeats: of the backbone, for small machines and tests.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        heads: int = 2,
        resize: FixedResizeRule = "antialias",
        image_size: int = INPUT_SIZE,
        width: float = 1.0,
        repeats: tuple[int, int, int] = (9, 16, 6),
    ) -> None:
        super().__init__()
        if heads < 1:
            raise ValueError(f"heads is {heads}; at least one is needed")
        if image_size < 32 or image_size % 16:
            raise ValueError(f"image_size is {image_size}; it must be divisible by 16 and at least 32")
        self.image_size, self.resize = image_size, resize
        self.backbone = MixedFeatureNet(width, repeats)
        channels, side = self.backbone.num_channels, image_size // 16
        self.heads = nn.ModuleList(DirectionAttention(channels, side) for _ in range(heads))
        self.weighted = nn.Identity()
        self.collect = _full_depthwise(channels, (side, side))
        self.fc = nn.Linear(channels, num_classes)
        init_convolutions(self)

    def forward_features(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> DdamfnFeatures:
        """Logits, the map, the heads' attention."""
        maps = self.backbone(resize_image(image_BCHW, self.image_size, self.resize))
        heads = tuple(head(maps) for head in self.heads)
        weighted = self.weighted(maps * reduce(torch.maximum, heads))
        return DdamfnFeatures(self.fc(self.collect(weighted).flatten(1)), maps, heads)

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """RGB normalised by ImageNet's mean and std to logits."""
        return self.forward_features(image_BCHW).logits_BK


def _full_depthwise(channels: int, kernel: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels, kernel, groups=channels, bias=False), nn.BatchNorm2d(channels))


def _mixed_stage(
    in_channels: int, channels: int, *, first: dict[int, int], rest: dict[int, int], repeats: int
) -> nn.Sequential:
    blocks = (MixedBlock(channels, channels, rest, 1) for _ in range(repeats))
    return nn.Sequential(MixedBlock(in_channels, channels, first, 2), *blocks)
