"""IR-50 and POSTER++'s IR-50 with the layer names of their published weights, as an oracle for renaming and wiring."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ReferenceBlock(nn.Module):
    def __init__(self, source: int, width: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if source != width:
            self.shortcut_layer = nn.Sequential(nn.Conv2d(source, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(source),
            nn.Conv2d(source, width, 3, 1, 1, bias=False),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)  # type: ignore[no-any-return]  # a module's call


def _stages(blocks: Sequence[int], widths: Sequence[int]) -> list[list[nn.Module]]:
    sources = [widths[0], *widths[:-1]]
    return [
        [ReferenceBlock(width if i else source, width, 1 if i else 2) for i in range(count)]
        for source, width, count in zip(sources, widths, blocks, strict=True)
    ]


def _input_layer(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.PReLU(width))


class EvolveIr50(nn.Module):
    """Blocks numbered through as `body.0`, `body.1`, ...; an output layer that backbones don't use."""

    def __init__(self, blocks: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.input_layer = _input_layer(widths[0])
        self.body = nn.Sequential(*(block for stage in _stages(blocks, widths) for block in stage))
        self.output_layer = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.Flatten(), nn.Linear(widths[-1] * 49, 8))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.input_layer(x))  # type: ignore[no-any-return]  # a module's call


class PosterIr50(nn.Module):
    """Three stages `body1`, `body2`, `body3`."""

    def __init__(self, blocks: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.input_layer = _input_layer(widths[0])
        for index, stage in enumerate(_stages(blocks, widths)):
            setattr(self, f"body{index + 1}", nn.Sequential(*stage))

    def forward(self, x: Tensor) -> Tensor:
        x = self.input_layer(x)
        for name in ("body1", "body2", "body3"):
            x = getattr(self, name)(x)
        return x


def shake(module: nn.Module, seed: int = 3) -> nn.Module:
    """Give norms weights and statistics that are not their starting values."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.state_dict().values():
            if value.is_floating_point() and value.ndim == 1:
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
    return module.eval()
