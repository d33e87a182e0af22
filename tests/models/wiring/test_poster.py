"""POSTER: Zheng et al., ICCV workshops 2023, and the authors' repository."""

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
    halved,
    heads_of,
    layer_norm,
    linear,
    pictures,
    shaken,
    tokens,
)

EPS = 1e-6
HEADS = 8


def reference(
    weights: Weights, image: Tensor, cut: str = "memory", resize: str = "antialias", network: str = "landmarks.network"
) -> Tensor:
    small = halved(image, resize)
    landmarks = tokens(landmark_maps(weights.under(network), small)[-1])
    picture = linear(weights, "embed", _cut(ir50_maps(weights.under("backbone"), small)[-1], cut))
    picture = _with_mean(picture) + weights["position"]
    full = torch.cat([picture, _with_mean(landmarks)], dim=1)
    pyramid = [
        full,
        F.conv1d(full, weights["narrow_half.weight"], weights["narrow_half.bias"], stride=2),
        F.conv1d(full, weights["narrow_quarter.weight"], weights["narrow_quarter.bias"], stride=4),
    ]
    for block in weights.children("blocks"):
        pyramid = _pyramid_block(block, pyramid)
    x = layer_norm(weights, "norm", pyramid[0], eps=EPS)[:, 0]
    gate = torch.sigmoid(linear(weights, "excite.second", F.relu(linear(weights, "excite.first", x))))
    return linear(weights, "head", x * gate)


def _cut(x_BCHW: Tensor, cut: str) -> Tensor:
    """49 tokens from 14x14. The authors read the memory as 49 rows: a token is some channels, not a place.

    "spatial" is what their text says: a token is 2x2 pixels, those of a channel side by side.
    """
    if cut == "memory":
        return x_BCHW.reshape(len(x_BCHW), 49, -1)
    rows = [x_BCHW[:, :, 2 * row : 2 * row + 2] for row in range(7)]
    places = [row[..., 2 * column : 2 * column + 2].flatten(1) for row in rows for column in range(7)]
    return torch.stack(places, dim=1)


def _with_mean(x_BNC: Tensor) -> Tensor:
    return torch.cat([x_BNC.mean(1, keepdim=True), x_BNC], dim=1)


def _pyramid_block(weights: Weights, pyramid: list[Tensor]) -> list[Tensor]:
    """Each level fuses its streams; then the smallest is widened into the middle one, and that sum into the largest."""
    full, half, quarter = (_fusion(weights.under(f"fusions.{i}"), x) for i, x in enumerate(pyramid))
    half = half + _widened(weights.under("widen_quarter"), quarter)
    full = full + _widened(weights.under("widen_half"), half)
    return [full, half, quarter]


def _widened(weights: Weights, x: Tensor) -> Tensor:
    return F.conv_transpose1d(x, weights["weight"], weights["bias"], stride=2)


def _fusion(weights: Weights, x: Tensor) -> Tensor:
    """Each stream asks itself with the other's tokens, unprojected; a 1x1 over the tokens closes."""
    picture, landmarks = x[:, :50], x[:, 50:]
    normed = layer_norm(weights, "image_norm", x, eps=EPS)
    picture = picture + _cross(weights.under("image_attention"), normed[:, :50], normed[:, 50:])
    picture = picture + _mlp(weights, "image_mlp", picture)
    normed = layer_norm(weights, "landmark_norm", x, eps=EPS)
    landmarks = landmarks + _cross(weights.under("landmark_attention"), normed[:, 50:], normed[:, :50])
    landmarks = landmarks + _mlp(weights, "landmark_mlp", landmarks)
    joined = torch.cat([picture, landmarks], dim=1)
    return F.conv1d(joined, weights["mix.weight"], weights["mix.bias"])


def _cross(weights: Weights, x: Tensor, queries: Tensor) -> Tensor:
    channels = x.shape[-1]
    key, value = linear(weights, "key_value", x).split(channels, dim=-1)
    scale = (channels // HEADS) ** -0.5
    out = attend(heads_of(queries, HEADS), heads_of(key, HEADS), heads_of(value, HEADS), scale=scale)
    return linear(weights, "project", out)


def _mlp(weights: Weights, name: str, x: Tensor) -> Tensor:
    x = layer_norm(weights, f"{name}.0", x, eps=EPS)
    return linear(weights, f"{name}.1.narrow", F.gelu(linear(weights, f"{name}.1.widen", x)))


NARROW = {"landmark_width": 0.125, "landmark_blocks": (1, 1, 1), "ir_blocks": (1, 2, 1), "ir_widths": (8, 8, 16)}


def test_logits_equal_the_reference() -> None:
    compare(shaken("poster", depth=2, **NARROW), pictures("poster", 224), reference, unused=is_head)


def test_spatial_tokens_of_every_second_pixel() -> None:
    model = shaken("poster", depth=1, tokens="spatial", resize="nearest", **NARROW)
    spatial = partial(reference, cut="spatial", resize="nearest")
    compare(model, pictures("poster", 224), spatial, unused=is_head)


def test_landmark_network_that_learns() -> None:
    model = shaken("poster", depth=1, freeze_landmarks=False, **NARROW)
    compare(model, pictures("poster", 112), partial(reference, network="landmarks"), unused=is_head)
