"""IR-50's stages as functions: Deng et al., ArcFace, CVPR 2019, and face.evoLVe's weights."""

import torch
from torch import Tensor

from tests.models.wiring.plain import Weights, batch_norm, conv, prelu


def ir50_maps(weights: Weights, image: Tensor) -> list[Tensor]:
    """The map after each stage, for a picture of 112."""
    x = prelu(weights, "stem.2", batch_norm(weights, "stem.1", conv(weights, "stem.0", image, padding=1)))
    maps = []
    for stage in weights.children("stages"):
        numbers = sorted({int(key.split(".")[0]) for key in stage})
        for number in numbers:
            x = _block(stage.under(str(number)), x, stride=1 if number else 2)
        maps.append(x)
    return maps


def _block(weights: Weights, x: Tensor, stride: int) -> Tensor:
    """BN, conv, PReLU, strided conv, BN, beside every stride-th pixel, or a 1x1 and BN where the width changes."""
    y = conv(weights, "residual.1", batch_norm(weights, "residual.0", x), padding=1)
    y = conv(weights, "residual.3", prelu(weights, "residual.2", y), stride=stride, padding=1)
    y = batch_norm(weights, "residual.4", y)
    if "shortcut.0.weight" in weights:
        return y + batch_norm(weights, "shortcut.1", conv(weights, "shortcut.0", x, stride=stride))
    return y + x[:, :, ::stride, ::stride]


def means(maps: list[Tensor]) -> Tensor:
    """The means over each map, side by side."""
    return torch.cat([x.mean((2, 3)) for x in maps], dim=1)
