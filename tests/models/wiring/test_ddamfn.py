"""DDAMFN: Zhang et al., Electronics 2023, and the authors' repository."""

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.models.wiring.plain import Weights, batch_norm, compare, conv, halved, linear, pictures, prelu, shaken


def reference(weights: Weights, image: Tensor) -> Tensor:
    x = features(weights.under("backbone"), image)
    gates = attention_maps(weights, x)
    gate = gates[0]
    for other in gates[1:]:
        gate = torch.maximum(gate, other)
    x = batch_norm(weights, "collect.1", conv(weights, "collect.0", x * gate))
    return linear(weights, "fc", x.flatten(1))


def features(weights: Weights, image: Tensor) -> Tensor:
    """512 channels of 7x7 from a picture of 112."""
    x = _normed(weights, "conv1", image, stride=2, padding=1)
    x = _normed(weights, "conv2", x, padding=1)
    for stage in ("conv3", "conv4", "conv5"):
        for number, block in enumerate(weights.children(stage)):
            x = _mixed(block, x, stride=2) if number == 0 else x + _mixed(block, x, stride=1)
    return _normed(weights, "conv6", x)


def attention_maps(weights: Weights, x: Tensor) -> list[Tensor]:
    """Each head's map: learned means of rows and of columns, then coordinate attention without its input."""
    gates = []
    for head in weights.children("heads"):
        rows = batch_norm(head, "rows.1", conv(head, "rows.0", x))
        columns = batch_norm(head, "columns.1", conv(head, "columns.0", x))
        gates.append(_outer(head.under("gate"), rows, columns))
    return gates


def _mixed(weights: Weights, x: Tensor, stride: int) -> Tensor:
    """1x1, depthwise kernels of several sizes side by side with neither norm nor slope, attention, 1x1."""
    x = _normed(weights, "expand", x)
    parts, start = [], 0
    for number in range(len(weights.children("depthwise.convs"))):
        kernel = weights[f"depthwise.convs.{number}.weight"]
        part = x[:, start : start + len(kernel)]
        side = kernel.shape[-1]
        parts.append(F.conv2d(part, kernel, None, stride, side // 2, groups=len(kernel)))
        start += len(kernel)
    assert start == x.shape[1]
    x = torch.cat(parts, dim=1)
    gate = _outer(weights.under("attention.gate"), x.mean(3, keepdim=True), x.mean(2, keepdim=True))
    return batch_norm(weights, "project.1", conv(weights, "project.0", x * gate))


def _outer(weights: Weights, rows_BCH1: Tensor, columns_BC1W: Tensor) -> Tensor:
    """Rows and columns pass one narrow layer together, then each its own; the product of the two gates."""
    height = rows_BCH1.shape[2]
    both = torch.cat([rows_BCH1, columns_BC1W.transpose(2, 3)], dim=2)
    both = batch_norm(weights, "norm", conv(weights, "squeeze", both))
    both = both * (both + 3).clamp(0, 6) / 6
    rows = torch.sigmoid(conv(weights, "rows", both[:, :, :height]))
    columns = torch.sigmoid(conv(weights, "columns", both[:, :, height:].transpose(2, 3)))
    return rows * columns


def _normed(weights: Weights, name: str, x: Tensor, *, stride: int = 1, padding: int = 0) -> Tensor:
    x = conv(weights, f"{name}.0", x, stride=stride, padding=padding)
    return prelu(weights, f"{name}.2", batch_norm(weights, f"{name}.1", x))


def test_logits_equal_the_reference() -> None:
    compare(shaken("ddamfn", width=0.125, repeats=(1, 1, 1)), pictures("ddamfn", 112), reference)


def test_three_heads_and_a_larger_picture() -> None:
    model = shaken("ddamfn", width=0.125, repeats=(0, 0, 0), heads=3)
    compare(model, pictures("ddamfn", 160), lambda weights, image: reference(weights, halved(image)))
