"""The backbones of POSTER and POSTER++ by their authors' names of layers, otherwise nothing of theirs."""

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """A block of IR-50."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(before),
            nn.Conv2d(before, width, 3, padding=1, bias=False),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        if before != width:
            self.shortcut_layer = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = (
            self.shortcut_layer(x) if hasattr(self, "shortcut_layer") else x[:, :, :: self.stride, :: self.stride]
        )
        return self.res_layer(x) + shortcut


def stages(blocks: list[int], widths: list[int]) -> list[list[Residual]]:
    found, before = [], widths[0]
    for num, width in zip(blocks, widths, strict=True):
        found.append([Residual(width if number else before, width, 1 if number else 2) for number in range(num)])
        before = width
    return found


class Backbone(nn.Module):
    """IR-50 with one list of blocks (`body`), or a list for each stage (`body1`, ...); the last layer never runs."""

    def __init__(self, blocks: list[int], widths: list[int], *, is_numbered: bool) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.PReLU(widths[0])
        )
        made = stages(blocks, widths)
        self.ends = [sum(blocks[: number + 1]) for number in range(len(blocks))]
        self.names = [f"body{number + 1}" for number in range(len(blocks))] if is_numbered else ["body"]
        if is_numbered:
            for name, stage in zip(self.names, made, strict=True):
                setattr(self, name, nn.Sequential(*stage))
        else:
            self.body = nn.Sequential(*(block for stage in made for block in stage))
        self.output_layer = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.Linear(widths[-1], 4))

    def forward(self, x: Tensor) -> list[Tensor]:
        x, maps, number = self.input_layer(x), [], 0
        for name in self.names:
            for block in getattr(self, name):
                x, number = block(x), number + 1
                if number in self.ends:
                    maps.append(x)
        return maps


class Unit(nn.Module):
    def __init__(
        self, before: int, width: int, size: int, stride: int = 1, groups: int = 1, *, is_linear: bool = False
    ):
        super().__init__()
        self.conv = nn.Conv2d(before, width, size, stride, size // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.prelu = nn.Identity() if is_linear else nn.PReLU(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.prelu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, before: int, width: int, inner: int, *, is_residual: bool) -> None:
        super().__init__()
        self.is_residual = is_residual
        self.conv = Unit(before, inner, 1)
        self.conv_dw = Unit(inner, inner, 3, 1 if is_residual else 2, inner)
        self.project = Unit(inner, width, 1, is_linear=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.conv_dw(self.conv(x)))
        return x + y if self.is_residual else y


class Row(nn.Module):
    def __init__(self, width: int, inner: int, num: int) -> None:
        super().__init__()
        self.model = nn.Sequential(*(Bottleneck(width, width, inner, is_residual=True) for _ in range(num)))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Points(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_6_dw = Unit(width, width, 7, groups=width, is_linear=True)
        self.conv_6_dw.conv.padding = (0, 0)
        self.linear = nn.Linear(width, 136, bias=False)
        self.bn = nn.BatchNorm1d(136)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.linear(self.conv_6_dw(x).flatten(1)))


class MobileFaceNet(nn.Module):
    """For 68 points, which are computed and not used."""

    def __init__(self, widths: tuple[int, int, int, int], blocks: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third, last = widths
        self.conv1, self.conv2_dw = Unit(3, first, 3, 2), Unit(first, first, 3, groups=first)
        self.conv_23, self.conv_3 = Bottleneck(first, first, second, is_residual=False), Row(first, second, blocks[0])
        self.conv_34, self.conv_4 = Bottleneck(first, second, third, is_residual=False), Row(second, third, blocks[1])
        self.conv_45, self.conv_5 = Bottleneck(second, second, last, is_residual=False), Row(second, third, blocks[2])
        self.conv_6_sep = Unit(second, last, 1)
        self.output_layer = Points(last)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first = self.conv_3(self.conv_23(self.conv2_dw(self.conv1(x))))
        second = self.conv_4(self.conv_34(first))
        last = self.conv_6_sep(self.conv_5(self.conv_45(second)))
        self.output_layer(last)
        return first, second, last


class Perceptron(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(nn.functional.gelu(self.fc1(x)))


class Excitation(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.linear2(torch.relu(self.linear1(x))))


class Head(nn.Module):
    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


def asked(query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
    """Attention of tokens "batch tokens channels" in several heads."""
    query, key, value = (x.reshape(*x.shape[:2], heads, -1).transpose(1, 2) for x in (query, key, value))
    scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
    out = (scores if bias is None else scores + bias).softmax(-1) @ value
    return out.transpose(1, 2).flatten(2)
