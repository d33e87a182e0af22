"""AER-CNN: facts from the notebook of Mersen130/Facial-Expression-Recognition-CNN."""

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.models.wiring.plain import Weights, compare, conv, linear, pictures, shaken


def reference(weights: Weights, image: Tensor) -> Tensor:
    x = image
    for number in (1, 2):
        x = F.max_pool2d(F.relu(conv(weights, f"conv{number}", x, padding=1)), 2)
        x = x * torch.sigmoid(conv(weights, f"gate{number}.score", x))
    return linear(weights, "classify", x.mean((2, 3)))


def test_logits_equal_the_reference() -> None:
    compare(shaken("aer-cnn", width=8), pictures("aer-cnn", 48), reference)
