"""EmoNeXt: El Boudouri & Bohi, MMSP 2023, and the authors' repository; ConvNeXt: Liu et al., CVPR 2022."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.models.wiring.plain import Weights, batch_norm, compare, conv, layer_norm, linear, pictures, shaken

EPS = 1e-6


def reference(weights: Weights, image: Tensor) -> Tensor:
    return linear(weights, "head", pooled(weights, image))


def pooled(weights: Weights, image: Tensor) -> Tensor:
    """The normed means over the last map, which the head and the regulariser's attention read: (N, C)."""
    x = _transformed(weights.under("transformer"), image)
    for stage in range(4):
        down = weights.under(f"downsample.{stage}")
        if stage == 0:
            x = _channel_norm(down, "1", conv(down, "0", x, stride=4))
        else:
            x = _excited(down.under("2"), conv(down, "1", _channel_norm(down, "0", x), stride=2))
        for block in weights.children(f"stages.{stage}"):
            x = x + _block(block, x)
    return layer_norm(weights, "norm", x.mean((2, 3)), eps=EPS)


def _transformed(weights: Weights, image: Tensor) -> Tensor:
    """Spatial transformer: a small network finds six numbers, the picture is sampled where they say.

    Grid and sampling take the corners for pixel centres; beyond the edge is zero.
    """
    x = F.relu(F.max_pool2d(batch_norm(weights, "locate.1", conv(weights, "locate.0", image)), 2))
    x = F.relu(F.max_pool2d(batch_norm(weights, "locate.5", conv(weights, "locate.4", x)), 2))
    x = linear(weights, "regress.2", F.relu(linear(weights, "regress.0", x.flatten(1))))
    grid = F.affine_grid(x.reshape(-1, 2, 3), list(image.shape), align_corners=True)
    return F.grid_sample(image, grid, align_corners=True)


def _channel_norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    return layer_norm(weights, name, x.permute(0, 2, 3, 1), eps=EPS).permute(0, 3, 1, 2)


def _excited(weights: Weights, x: Tensor) -> Tensor:
    gate = torch.sigmoid(linear(weights, "gate.2", F.relu(linear(weights, "gate.0", x.mean((2, 3))))))
    return x * gate[:, :, None, None]


def _block(weights: Weights, x: Tensor) -> Tensor:
    y = conv(weights, "depthwise", x, padding=3).permute(0, 2, 3, 1)
    y = linear(weights, "mlp.widen", layer_norm(weights, "norm", y, eps=EPS))
    y = linear(weights, "mlp.narrow", F.gelu(y)) * weights["scale"]
    return y.permute(0, 3, 1, 2)


def narrow(name: str) -> nn.Module:
    """A narrow instance whose transformer turns and shifts the picture a little."""
    model = shaken(name, depths=(1, 2, 1, 1), widths=(16, 24, 32, 48), image_size=64)
    with torch.no_grad():
        last = model.get_submodule("transformer.regress.2")
        last.weight.mul_(0.02)
        last.bias.mul_(0.2).add_(torch.tensor([1.0, 0, 0, 0, 1, 0]))
    return model


@pytest.mark.parametrize("name", ["emonext-tiny", "emonext-small", "emonext-base", "emonext-large"])
def test_logits_equal_the_reference(name: str) -> None:
    # The query, key and value serve the regulariser only.
    compare(narrow(name), pictures(name, 64), reference, unused=lambda key: key.startswith("attention."))
