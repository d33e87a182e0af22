"""POSTER++: Mao et al., arXiv 2301.12149, and the authors' repository."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.models.wiring.ir50 import ir50_maps
from tests.models.wiring.mobilefacenet import is_head, landmark_maps
from tests.models.wiring.plain import (
    Weights,
    attend,
    compare,
    conv,
    halved,
    heads_of,
    layer_norm,
    linear,
    pictures,
    shaken,
    tokens,
)
from tests.models.wiring.window import window_attention

# The ViT's norms add 1e-6, those around the windows 1e-5.
VIT_EPS = 1e-6


def reference(weights: Weights, image: Tensor, resize: str = "antialias", network: str = "landmarks.network") -> Tensor:
    small = halved(image, resize)
    queries = landmark_maps(weights.under(network), small)
    queries[2] = conv(weights, "last_query", queries[2], padding=1)
    maps = ir50_maps(weights.under("backbone"), small)
    fused = []
    for i, num_heads in enumerate((2, 4, 8)):
        fused.append(_fusion(weights.under(f"fusions.{i}"), maps[i], queries[i], num_heads))
    first = conv(weights, "embeds.0.1", conv(weights, "embeds.0.0", fused[0], stride=2, padding=1), stride=2, padding=1)
    second = conv(weights, "embeds.1", fused[1], stride=2, padding=1)
    third = conv(weights, "embeds.2", fused[2])
    x = torch.cat([weights["class_token"].expand(len(image), -1, -1), tokens(first), tokens(second), tokens(third)], 1)
    x = x + weights["position"]
    for block in weights.children("blocks"):
        x = x + _self_attention(block, layer_norm(block, "norm", x, eps=VIT_EPS))
        x = x + _mlp(block, x, eps=VIT_EPS)
    x = layer_norm(weights, "norm", x, eps=VIT_EPS)[:, 0]
    gate = torch.sigmoid(linear(weights, "excite.second", F.relu(linear(weights, "excite.first", x))))
    return linear(weights, "head", x * gate)


def _fusion(weights: Weights, x_BCHW: Tensor, query_BCHW: Tensor, num_heads: int) -> Tensor:
    """Halve, norm, ask with the landmarks' map; what the attention is added to is the normed map."""
    x = conv(weights, "halve", x_BCHW, stride=2, padding=1)
    side = x.shape[-1]
    x = layer_norm(weights, "norm", tokens(x))
    out = window_attention(weights.under("attention"), x, tokens(query_BCHW), side=side, num_heads=num_heads)
    x = x + weights["attention_scale"] * out
    x = x + weights["mlp_scale"] * _mlp(weights, x, eps=1e-5)
    return x.transpose(1, 2).reshape(len(x), -1, side, side)


def _self_attention(weights: Weights, x: Tensor) -> Tensor:
    channels, num_heads = x.shape[-1], 8
    query, key, value = (heads_of(part, num_heads) for part in linear(weights, "qkv", x).split(channels, dim=-1))
    return linear(weights, "project", attend(query, key, value, scale=(channels // num_heads) ** -0.5))


def _mlp(weights: Weights, x: Tensor, eps: float) -> Tensor:
    x = layer_norm(weights, "mlp.0", x, eps=eps)
    return linear(weights, "mlp.1.narrow", F.gelu(linear(weights, "mlp.1.widen", x)))


NARROW = {"landmark_width": 0.125, "landmark_blocks": (1, 1, 1), "ir_blocks": (1, 1, 2), "embed": 32}


def test_logits_equal_the_reference() -> None:
    compare(shaken("poster-pp", **NARROW), pictures("poster-pp", 224), reference, unused=is_head)


def test_every_second_pixel() -> None:
    nearest = partial(reference, resize="nearest")
    compare(shaken("poster-pp", resize="nearest", **NARROW), pictures("poster-pp", 224), nearest, unused=is_head)


def test_landmark_network_that_learns() -> None:
    model = shaken("poster-pp", freeze_landmarks=False, **NARROW)
    compare(model, pictures("poster-pp", 112), partial(reference, network="landmarks"), unused=is_head)
