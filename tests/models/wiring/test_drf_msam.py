"""DRF-MSAM: facts from the notebook of Mersen130/Facial-Expression-Recognition-CNN."""

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.models.wiring.plain import Weights, compare, conv, linear, pictures, shaken


def reference(weights: Weights, image: Tensor) -> Tensor:
    x = F.max_pool2d(_rectified_sum(weights.under("receptive_fields"), image, (3, 5, 7)), 2)
    for number in (1, 2):
        x = F.max_pool2d(_attention(weights.under(f"attention{number}"), x), 2)
    x = F.relu(linear(weights, "dense", x.mean((2, 3))))
    return linear(weights, "classify", x)


def _rectified_sum(weights: Weights, x: Tensor, kernels: tuple[int, ...]) -> Tensor:
    """Each convolution is rectified before the sum."""
    branches = [F.relu(conv(weights, f"branches.{i}", x, padding=kernel // 2)) for i, kernel in enumerate(kernels)]
    return torch.stack(branches).sum(0)


def _attention(weights: Weights, x: Tensor) -> Tensor:
    """The sum of scales decides on the gate only; what the gate multiplies is the input."""
    scales = _rectified_sum(weights.under("scales"), x, (1, 3, 5))
    gate = torch.sigmoid(conv(weights, "gate", scales)).mean((2, 3), keepdim=True)
    return x * torch.sigmoid(gate)


def test_logits_equal_the_reference() -> None:
    compare(shaken("drf-msam", width=8, hidden=16), pictures("drf-msam", 48), reference)
