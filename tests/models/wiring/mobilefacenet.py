"""MobileFaceNet as POSTER and POSTER++ use it for landmarks: Chen et al., CCBR 2018."""

from torch import Tensor

from tests.models.wiring.plain import Weights, batch_norm, conv, prelu


def landmark_maps(weights: Weights, image: Tensor) -> list[Tensor]:
    """The maps at 28, 14 and 7, the last widened by the closing 1x1."""
    x = _normed(weights, "conv1", image, stride=2, padding=1)
    x = _normed(weights, "conv2", x, padding=1)
    maps = []
    for stage in ("conv3", "conv4", "conv5"):
        for number, block in enumerate(weights.children(stage)):
            x = _bottleneck(block, x, stride=2) if number == 0 else x + _bottleneck(block, x, stride=1)
        maps.append(x)
    return [*maps[:2], _normed(weights, "conv6", maps[2])]


def is_head(key: str) -> bool:
    """The layers that give 68 points; no expression network reads them."""
    return ".points." in key


def _normed(weights: Weights, name: str, x: Tensor, *, stride: int = 1, padding: int = 0) -> Tensor:
    x = conv(weights, f"{name}.0", x, stride=stride, padding=padding)
    return prelu(weights, f"{name}.2", batch_norm(weights, f"{name}.1", x))


def _bottleneck(weights: Weights, x: Tensor, stride: int) -> Tensor:
    x = _normed(weights, "expand", x)
    x = _normed(weights, "depthwise", x, stride=stride, padding=1)
    return batch_norm(weights, "project.1", conv(weights, "project.0", x))
