"""fercli-compact, from its description: residual blocks on halved maps, branches whose probabilities are averaged."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.models.wiring.plain import Weights, batch_norm, compare, conv, linear, pictures, shaken


def reference(weights: Weights, image: Tensor) -> Tensor:
    """The logarithms of the branches' mean probabilities."""
    return torch.stack([torch.softmax(logits, dim=-1) for logits in branch_logits(weights, image)]).mean(0).log()


def branch_logits(weights: Weights, image: Tensor) -> list[Tensor]:
    x = F.relu(batch_norm(weights, "stem.1", conv(weights, "stem.0", image, padding=1)))
    x = _stages(weights.children("stages"), x)
    branches = [_stages(_parts(branch), x).mean((2, 3)) for branch in weights.children("branches")]
    return [linear(weights, f"classify.{i}", features) for i, features in enumerate(branches)]


def _parts(weights: Weights) -> list[Weights]:
    return [weights.under(number) for number in sorted({key.split(".")[0] for key in weights}, key=int)]


def _stages(stages: list[Weights], x: Tensor) -> Tensor:
    for stage in stages:
        for number, block in enumerate(_parts(stage)):
            x = _residual(block, x, stride=1 if number else 2)
    return x


def _residual(weights: Weights, x: Tensor, stride: int) -> Tensor:
    y = F.relu(batch_norm(weights, "norm1", conv(weights, "conv1", x, stride=stride, padding=1)))
    y = batch_norm(weights, "norm2", conv(weights, "conv2", y, padding=1))
    if "shortcut.1.weight" in weights:
        x = batch_norm(weights, "shortcut.2", conv(weights, "shortcut.1", F.avg_pool2d(x, stride)))
    return F.relu(x + y)


@pytest.mark.parametrize(("branches", "shared"), [(1, 1), (3, 2)], ids=["one branch", "three branches"])
def test_logits_equal_the_reference(branches: int, shared: int) -> None:
    model = shaken("fercli-compact", stem=8, widths=(8, 12, 16), depths=(1, 2, 2), branches=branches, shared=shared)
    compare(model, pictures("fercli-compact", 48), reference)
