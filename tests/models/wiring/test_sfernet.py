"""SFERNet, from the description of its figure; superpixels: Huang et al., Super Token Sampling, CVPR 2023."""

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.models.wiring.plain import (
    Weights,
    batch_norm,
    compare,
    conv,
    heads_of,
    layer_norm,
    linear,
    pictures,
    shaken,
    tokens,
)

HEADS = 3
ITERATIONS = 3


def reference(weights: Weights, image: Tensor, sizes: tuple[int, ...], num_stems: int = 1) -> Tensor:
    stem = weights.under("stem")
    x = F.gelu(batch_norm(stem, "0.1", conv(stem, "0.0", image, stride=2, padding=1)))
    x = batch_norm(stem, "2.1", conv(stem, "2.0", x, stride=2, padding=1))
    for number in range(num_stems):
        x = _experts(stem.under(str(3 + number)), x)
    x = conv(stem, str(3 + num_stems), x)
    for stage, size in enumerate(sizes):
        if stage:
            x = _merged(weights.under(f"merges.{stage - 1}"), x)
        for block in weights.children(f"stages.{stage}"):
            x = _block(block, x, size)
    power = weights["pool.power"]
    x = x.clamp(min=1e-6).pow(power).mean((2, 3)).pow(1 / power)
    return linear(weights, "classify", x)


def _experts(weights: Weights, x: Tensor) -> Tensor:
    """MEFE: experts weighted by a switcher, beside the input, through a 1x1; added to the input.

    The kernels of expert e lie every `experts`-th, from the e-th.
    """
    inner = F.gelu(batch_norm(weights, "enter.1", conv(weights, "enter.0", x, padding=1)))
    shares = torch.softmax(linear(weights, "switch", inner.mean((2, 3))), dim=-1)
    width = x.shape[1]
    outs = []
    for expert in range(shares.shape[1]):
        own = slice(expert * width, (expert + 1) * width)
        out = F.conv2d(inner, weights["depthwise.weight"][expert :: shares.shape[1]], padding=1, groups=width)
        outs.append(F.conv2d(out, weights["pointwise.weight"][own]))
    answers = F.gelu(batch_norm(weights, "expert_norm", torch.cat(outs, dim=1)))
    weighted = torch.einsum("be,bechw->bchw", shares, answers.unflatten(1, (-1, width)))
    return x + conv(weights, "join", torch.cat([x, weighted], dim=1))


def _merged(weights: Weights, x: Tensor) -> Tensor:
    """Patch merging as in Swin, four neighbours side by side, normed, halved; here they are in reading order."""
    four = torch.cat([x[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)], dim=1)
    y = linear(weights, "reduce", layer_norm(weights, "norm", four.permute(0, 2, 3, 1)))
    return y.permute(0, 3, 1, 2)


def _block(weights: Weights, x: Tensor, size: int) -> Tensor:
    """Post-norm: x + LN(SPAA(x)), then x + DARF(FFN(x)); the second is on tokens."""
    height, width = x.shape[2:]
    x = tokens(x) + layer_norm(weights, "norm", tokens(_superpixels(weights.under("attention"), x, size)))
    wide = F.gelu(linear(weights, "mlp.widen", x))
    x = x + _rectified(weights.under("gate"), linear(weights, "mlp.narrow", wide))
    return x.transpose(1, 2).reshape(len(x), -1, height, width)


def _rectified(weights: Weights, x: Tensor) -> Tensor:
    """DARF: a gate for each channel from the picture's context, one for each place from context and place."""
    y = layer_norm(weights, "norm", x)
    local = F.gelu(linear(weights, "local", y))
    shares = torch.softmax(linear(weights, "context", y), dim=1)
    summary = F.gelu(linear(weights, "summary", (shares * y).sum(1)))
    both = torch.cat([local, summary[:, None].expand_as(local)], dim=-1)
    spatial = torch.sigmoid(linear(weights, "spatial_gate", both))
    channel = torch.sigmoid(linear(weights, "channel_gate", summary))[:, None]
    return x * channel * spatial


def _superpixels(weights: Weights, x: Tensor, size: int) -> Tensor:
    """SPAA: pixels to superpixels, attention among these, back by the same association.

    The association carries no gradient; the superpixels made by its last state do, through the pixels.
    """
    images, channels, height, width = x.shape
    down, across = height // size, width // size
    centres = pixels = tokens(x)
    # Superpixels of one pixel are the pixels: nothing is shared.
    shares = torch.eye(height * width, dtype=x.dtype).expand(images, -1, -1)
    if size > 1:
        near = _neighbours(down, across, size)
        centres = tokens(F.avg_pool2d(x, size))
        for _ in range(ITERATIONS):
            scores = torch.einsum("bnc,bsc->bns", pixels, centres) * channels**-0.5
            shares = torch.softmax(scores.masked_fill(~near, float("-inf")), dim=-1).detach()
            centres = torch.einsum("bns,bnc->bsc", shares, pixels) / shares.sum(1)[:, :, None]
    query, key, value = linear(weights, "qkv", centres).split(channels, dim=-1)
    query = query.transpose(1, 2).reshape(images, channels, down, across)
    query = tokens(batch_norm(weights, "interact.1", conv(weights, "interact.0", query, padding=2)))
    out = _mixed_attention(weights, heads_of(query, HEADS), heads_of(key, HEADS), heads_of(value, HEADS))
    out = torch.einsum("bns,bsc->bnc", shares, linear(weights, "project", out))
    return out.transpose(1, 2).reshape(x.shape)


def _mixed_attention(weights: Weights, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The scaled scores pass a 1x1 convolution across the heads before the softmax."""
    scores = torch.einsum("bhnd,bhmd->bhnm", query, key) * query.shape[-1] ** -0.5
    shares = torch.softmax(conv(weights, "mix_heads", scores), dim=-1)
    return torch.einsum("bhnm,bhmd->bnhd", shares, value).flatten(2)


def _neighbours(down: int, across: int, size: int) -> Tensor:
    """Whether a superpixel (last axis) is one of the nine around the pixel's own; those beyond the edge are none."""
    near = torch.zeros(down * size * across * size, down * across, dtype=torch.bool)
    for pixel in range(len(near)):
        row, column = pixel // (across * size) // size, pixel % (across * size) // size
        for other in range(down * across):
            near[pixel, other] = abs(other // across - row) <= 1 and abs(other % across - column) <= 1
    return near


def test_logits_equal_the_reference() -> None:
    sizes = (4, 2, 2, 1)
    model = shaken("sfernet", width=12, depths=(1, 2, 1, 1), sizes=sizes, stem=8, experts=3)
    compare(model, pictures("sfernet", 128), lambda weights, image: reference(weights, image, sizes))
