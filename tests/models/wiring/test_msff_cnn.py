"""MSFF-CNN: facts from the notebook of Mersen130/Facial-Expression-Recognition-CNN."""

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.models.wiring.plain import Weights, batch_norm, compare, conv, linear, pictures, shaken

# Keras' batch normalisation adds 1e-3 to the variance.
EPS = 1e-3


def reference(weights: Weights, image: Tensor) -> Tensor:
    maps = []
    for number, num_convs in enumerate((1, 2, 3)):
        x = image
        branch = weights.under(f"branches.{number}")
        for step in range(num_convs):
            x = F.relu(conv(branch, str(4 * step), x, padding=1))
            x = F.max_pool2d(batch_norm(branch, str(4 * step + 2), x, eps=EPS), 2)
        repeat = 2 ** (num_convs - 1)
        maps.append(x.repeat_interleave(repeat, dim=2).repeat_interleave(repeat, dim=3))
    x = F.relu(linear(weights, "dense", torch.cat(maps, dim=1).flatten(1)))
    return linear(weights, "classify", batch_norm(weights, "norm", x, eps=EPS))


def test_logits_equal_the_reference() -> None:
    compare(shaken("msff-cnn", width=4, hidden=16), pictures("msff-cnn", 48), reference)
