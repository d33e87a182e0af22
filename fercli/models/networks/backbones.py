"""Face networks that several papers build on: IR-50 and MobileFaceNet.

B pictures, C channels, H W pixels.
"""

# A module's call has no return type in torch, and Tensor.unflatten no types at all.
# mypy: disable-error-code="no-any-return,no-untyped-call"

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

IR50_BLOCKS = (3, 4, 14, 3)
IR50_WIDTHS = (64, 128, 256, 512)


class IrBlock(nn.Module):
    """The improved residual unit: BN, conv, PReLU, conv, BN, added to a shortcut.

    The stride sits on the second convolution. The shortcut is plain subsampling (max-pool of size 1; at stride 1 the
    input itself, which spares a pass over the map) when the width stays, else a 1x1 convolution and BN.

    Source: Deng et al., ArcFace, CVPR 2019, section 3.1 (IR); block as in face.evoLVe's `bottleneck_IR`.
    """

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, channels, 3, 1, 1, bias=False),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut: nn.Module
        if in_channels == channels:
            self.shortcut = nn.MaxPool2d(1, stride) if stride > 1 else nn.Identity()
        else:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Halve the map when the stride is 2."""
        return self.residual(x_BCHW) + self.shortcut(x_BCHW)


class Ir50(nn.Module):
    """IR-50 without its output layer: a picture to one map per stage, each half the size of the one before.

    At full width 30,727,360 parameters; a 112 picture gives 64x56x56, 128x28x28, 256x14x14, 512x7x7. Fewer stages
    (POSTER and POSTER++ use three) are had by shorter `blocks` and `widths`.
    """

    def __init__(self, blocks: Sequence[int] = IR50_BLOCKS, widths: Sequence[int] = IR50_WIDTHS) -> None:
        super().__init__()
        if len(blocks) != len(widths):
            raise ValueError(f"blocks {tuple(blocks)} and widths {tuple(widths)} must be of one length")
        self.widths = tuple(widths)
        stem = widths[0]
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), nn.PReLU(stem))
        inputs = (stem, *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(*(IrBlock(width if i else source, width, 1 if i else 2) for i in range(num_blocks)))
            for source, width, num_blocks in zip(inputs, widths, blocks, strict=True)
        )
        init_convolutions(self)

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        """The map of every stage, largest first."""
        x = self.stem(image_BCHW)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class LandmarkMaps(NamedTuple):
    """MobileFaceNet's maps after conv_3 (/4), conv_4 (/8) and conv_6_sep (/16), and the 68 points it is trained for."""

    quarter: Tensor
    eighth: Tensor
    sixteenth: Tensor
    points: Tensor


class DepthwiseBlock(nn.Module):
    """1x1 expansion, depthwise 3x3, linear 1x1, added to the input when `is_residual`."""

    def __init__(self, in_channels: int, channels: int, expansion: int, stride: int, *, is_residual: bool) -> None:
        super().__init__()
        self.is_residual = is_residual
        self.expand = conv_unit(in_channels, expansion, 1)
        self.depthwise = conv_unit(expansion, expansion, 3, stride, groups=expansion)
        self.project = conv_unit(expansion, channels, 1, is_linear=True)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Map to map."""
        y = self.project(self.depthwise(self.expand(x_BCHW)))
        return x_BCHW + y if self.is_residual else y


class MobileFaceNet(nn.Module):
    """MobileFaceNet for 68 landmarks, as POSTER and POSTER++ use it.

    A 112 picture gives 64x28x28, 128x14x14, 512x7x7 and 136 numbers. Neither paper uses the 136 numbers, but their
    code computes them and the published counts hold them; that last part therefore never gets a gradient.

    Args:
        width: factor of every layer, for tests and small machines.
        blocks: residual blocks of conv_3, conv_4 and conv_5.
        size: side of the picture divided by 16; the landmark head reads the whole last map.

    Source: Chen et al., MobileFaceNets, CCBR 2018, table 1 (conv_4 six times, conv_5 twice).
    """

    def __init__(self, width: float = 1.0, blocks: Sequence[int] = (4, 6, 2), size: int = 7) -> None:
        super().__init__()
        c64, c128, c256, c512 = (max(8, int(channels * width)) for channels in (64, 128, 256, 512))
        self.widths = (c64, c128, c512)
        self.conv1 = conv_unit(3, c64, 3, 2)
        self.conv2 = conv_unit(c64, c64, 3, groups=c64)
        self.conv3 = _depthwise_stage(c64, c64, first=c128, repeats=blocks[0], rest=c128)
        self.conv4 = _depthwise_stage(c64, c128, first=c256, repeats=blocks[1], rest=c256)
        self.conv5 = _depthwise_stage(c128, c128, first=c512, repeats=blocks[2], rest=c256)
        self.conv6 = conv_unit(c128, c512, 1)
        self.points = nn.Sequential(
            nn.Conv2d(c512, c512, size, groups=c512, bias=False),
            nn.BatchNorm2d(c512),
            nn.Flatten(),
            nn.Linear(c512, 136, bias=False),
            nn.BatchNorm1d(136),
        ).requires_grad_(False)
        init_convolutions(self)

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> LandmarkMaps:
        """The three maps the POSTER family reads, and the points."""
        quarter = self.conv3(self.conv2(self.conv1(image_BCHW)))
        eighth = self.conv4(quarter)
        sixteenth = self.conv6(self.conv5(eighth))
        return LandmarkMaps(quarter, eighth, sixteenth, self.points(sixteenth))


def _depthwise_stage(in_channels: int, channels: int, *, first: int, repeats: int, rest: int) -> nn.Sequential:
    """One halving block of expansion `first`, then `repeats` residual ones of expansion `rest`."""
    blocks = (DepthwiseBlock(channels, channels, rest, 1, is_residual=True) for _ in range(repeats))
    return nn.Sequential(DepthwiseBlock(in_channels, channels, first, 2, is_residual=False), *blocks)


class FrozenLandmarks(nn.Module):
    """A landmark network that training leaves alone: no gradient, and batch statistics that don't drift.

    The authors' code freezes the weights only; in train mode its BN averages still move with every batch.
    """

    def __init__(self, network: MobileFaceNet) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self.widths = network.widths

    def train(self, mode: bool = True) -> "FrozenLandmarks":
        """Keep the network inside in evaluation mode, whatever `mode` is."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, image_BCHW: Tensor) -> LandmarkMaps:
        """As the network inside, without a graph."""
        with torch.no_grad():
            maps: LandmarkMaps = self.network(image_BCHW)
        return maps


def conv_unit(
    in_channels: int, channels: int, kernel: int, stride: int = 1, *, groups: int = 1, is_linear: bool = False
) -> nn.Sequential:
    """Convolution without bias, BN and, unless `is_linear`, PReLU; the map keeps its size at stride 1."""
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
    ]
    if not is_linear:
        layers.append(nn.PReLU(channels))
    return nn.Sequential(*layers)


def init_convolutions(network: nn.Module) -> None:
    """He's initialisation for PReLU at its starting slope 0.25; norms keep theirs. Draws from torch's generator.

    The fan of a grouped convolution is that of one group: torch's own rule counts all channels and would shrink a
    depthwise layer's output by the root of their number.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.weight[:, 0].numel() / module.groups
            nn.init.normal_(module.weight, std=(2 / (1 + 0.25**2) / fan_out) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
