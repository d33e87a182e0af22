"""A stand-in for the backbone of the authors' checkout of DDAMFN, an eighth as wide, with their names of layers."""

import torch
from torch import Tensor, nn


class Unit(nn.Module):
    """Convolution, norm and, unless it `ends` a block, PReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, ends: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        if not ends:
            self.prelu = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return self.prelu(x) if hasattr(self, "prelu") else x


class Mixed(nn.Module):
    """Kernels by groups of channels; a norm and a PReLU that never run."""

    def __init__(self, groups: dict[int, int], stride: int) -> None:
        super().__init__()
        self.sizes = list(groups.values())
        self.mixed_depthwise_conv = nn.ModuleList(
            nn.Conv2d(size, size, kernel, stride, kernel // 2, groups=size, bias=False)
            for kernel, size in groups.items()
        )
        self.bn, self.prelu = nn.BatchNorm2d(sum(self.sizes)), nn.PReLU(sum(self.sizes))

    def forward(self, x: Tensor) -> Tensor:
        starts = [sum(self.sizes[:number]) for number in range(len(self.sizes))]
        return torch.cat(
            [
                conv(x[:, start : start + size])
                for conv, start, size in zip(self.mixed_depthwise_conv, starts, self.sizes, strict=True)
            ],
            dim=1,
        )


class Gates(nn.Module):
    """A gate per row and one per column, from two summaries of a map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = max(8, width // 32)
        self.conv1, self.bn1 = nn.Conv2d(width, hidden, 1), nn.BatchNorm2d(hidden)
        self.conv2, self.conv3 = nn.Conv2d(hidden, width, 1), nn.Conv2d(hidden, width, 1)

    def gate(self, rows: Tensor, columns: Tensor) -> Tensor:
        """`rows` is (B, C, H, 1), `columns` (B, C, 1, W)."""
        line = self.bn1(self.conv1(torch.cat([rows, columns.mT], dim=2)))
        line = line * (line + 3).clamp(0, 6) / 6
        height = rows.shape[2]
        return self.conv2(line[:, :, :height]).sigmoid() * self.conv3(line[:, :, height:]).sigmoid().mT


class Coordinates(Gates):
    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x.mean(3, keepdim=True), x.mean(2, keepdim=True))


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, groups: dict[int, int], *, stride: int = 1) -> None:
        super().__init__()
        width = sum(groups.values())
        self.conv, self.conv_dw, self.CA = Unit(inputs, width), Mixed(groups, stride), Coordinates(width)
        self.project = Unit(width, outputs, ends=True)
        self.adds = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.CA(self.conv_dw(self.conv(x))))
        return x + y if self.adds else y


class Repeated(nn.Module):
    def __init__(self, num_blocks: int, width: int, groups: dict[int, int]) -> None:
        super().__init__()
        self.model = nn.Sequential(*(Block(width, width, groups) for _ in range(num_blocks)))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class MixedFeatureNet(nn.Module):
    """Every number of channels is an eighth of theirs, rounded down; blocks are 2, 1, 1, not 9, 16, 6."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Unit(3, 8, 3, stride=2)
        self.conv2_dw = Unit(8, 8, 3, groups=8)
        self.conv_23 = Block(8, 8, {3: 8, 5: 4, 7: 4}, stride=2)
        self.conv_3 = Repeated(2, 8, {3: 12, 5: 4})
        self.conv_34 = Block(8, 16, {3: 16, 5: 8, 7: 8}, stride=2)
        self.conv_4 = Repeated(1, 16, {3: 24, 5: 8})
        self.conv_45 = Block(16, 32, {3: 32, 5: 32, 7: 32, 9: 32}, stride=2)
        self.conv_5 = Repeated(1, 32, {3: 21, 5: 21, 7: 21})
        self.conv_6_sep = Unit(32, 64)
