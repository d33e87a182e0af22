"""A stand-in for the authors' checkout of EmoNeXt: their names of layers, otherwise nothing of theirs."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPS = 1e-6


def over_channels(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    return norm(x.movedim(1, -1)).movedim(-1, 1)


class Gate(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = width // 16
        self.fc = nn.Sequential(
            nn.Linear(width, narrow, bias=False), nn.ReLU(), nn.Linear(narrow, width, bias=False), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc(x.mean((2, 3)))[..., None, None]


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.pwconv1, self.pwconv2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).movedim(1, -1))
        return x + (self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))).movedim(-1, 1)


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))


class EmoNeXt(nn.Module):
    """`size` is 224 in theirs."""

    def __init__(self, num_classes: int, depths: list[int], dims: list[int], size: int) -> None:
        super().__init__()
        side = ((size - 6) // 2 - 4) // 2
        self.localization = nn.Sequential(
            *(nn.Conv2d(3, 8, 7), nn.BatchNorm2d(8), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Conv2d(8, 10, 5), nn.BatchNorm2d(10), nn.MaxPool2d(2), nn.ReLU()),
        )
        self.fc_loc = nn.Sequential(nn.Linear(10 * side**2, 32), nn.ReLU(), nn.Linear(32, 6))
        stem = nn.Sequential(nn.Conv2d(3, dims[0], 4, 4), nn.LayerNorm(dims[0], eps=EPS))
        halvings = (
            nn.Sequential(nn.LayerNorm(before, eps=EPS), nn.Conv2d(before, width, 2, 2), Gate(width))
            for before, width in pairwise(dims)
        )
        self.downsample_layers = nn.ModuleList([stem, *halvings])
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(depth))) for depth, width in zip(depths, dims, strict=True)
        )
        self.norm = nn.LayerNorm(dims[-1], eps=EPS)
        self.attention = Attention(dims[-1])
        self.head = nn.Linear(dims[-1], num_classes)
        nn.init.zeros_(self.fc_loc[2].weight)
        self.fc_loc[2].bias.data = torch.eye(2, 3).flatten()

    def gate(self, number: int, x: Tensor) -> Tensor:
        return self.downsample_layers[number][2](x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        turn = self.fc_loc(self.localization(x).flatten(1)).unflatten(1, (2, 3))
        x = F.grid_sample(x, F.affine_grid(turn, list(x.shape), align_corners=True), align_corners=True)
        for number, (first, second, *_) in enumerate(self.downsample_layers):
            x = self.gate(number, second(over_channels(first, x))) if number else over_channels(second, first(x))
            x = self.stages[number](x)
        logits = self.head(self.norm(x.mean((2, 3))))
        return logits.argmax(1), logits


class Ungated(EmoNeXt):
    """Has every layer, and leaves one out."""

    def gate(self, number: int, x: Tensor) -> Tensor:
        return x if number == 2 else super().gate(number, x)


def narrow() -> EmoNeXt:
    return EmoNeXt(7, [1, 2, 1, 1], [16, 32, 32, 48], 64)


def ungated() -> EmoNeXt:
    return Ungated(7, [1, 2, 1, 1], [16, 32, 32, 48], 64)


def with_more() -> EmoNeXt:
    model = narrow()
    model.second_head = nn.Linear(48, 7)
    return model
