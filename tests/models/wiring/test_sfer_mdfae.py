"""SFER-MDFAE: Shou et al., Sensors 2024, 24, 6748, equations 1-15."""

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.models.wiring.ir50 import ir50_maps, means
from tests.models.wiring.plain import Weights, compare, conv, halved, linear, pictures, shaken, tokens
from tests.models.wiring.window import window_attention

HEADS = 8


def reference(weights: Weights, image: Tensor, **options: Any) -> Tensor:
    """`options` are those of the paper's ablations and of what it does not say."""
    variant = options.get("variant", "full")
    resize = options.get("resize", "antialias")
    maps = ir50_maps(weights.under("backbone"), image if resize == "none" else halved(image, resize))
    last = maps[3]
    if variant == "na":
        deep = last
    elif variant == "rw":
        deep = _window(weights.under("kroa"), last)
    else:
        deep = kroa(weights.under("kroa"), last, **options)
    joined = torch.cat([_many_scales(weights, maps, variant), deep.mean((2, 3))], dim=1)
    return linear(weights, "classify", joined)


def _many_scales(weights: Weights, maps: list[Tensor], variant: str) -> Tensor:
    """Equations 1-3; the ablations leave out the other scales (nm) or the attention (np)."""
    if variant == "np":
        return means(maps)
    chosen = maps[3:] if variant == "nm" else maps
    return means([_selected(weights.under(f"scales.attentions.{i}"), x) for i, x in enumerate(chosen)])


def _selected(weights: Weights, x: Tensor) -> Tensor:
    """Channel attention: one small network reads maxima and means, its two answers are added."""
    pooled = (x.amax((2, 3)), x.mean((2, 3)))
    answers = [linear(weights, "mlp.2", F.relu(linear(weights, "mlp.0", x))) for x in pooled]
    return x * torch.sigmoid(answers[0] + answers[1])[:, :, None, None]


def kroa(weights: Weights, x_BCHW: Tensor, **options: Any) -> Tensor:
    """Equations 4-14, pixel by pixel: each asks all pixels of the regions most related to its own."""
    images, channels, height, width = x_BCHW.shape
    query, key, value = linear(weights, "qkv", x_BCHW.permute(0, 2, 3, 1)).split(channels, dim=-1)
    across = channels // HEADS
    scale = 1 / math.sqrt(channels if options.get("scale") == "channels" else across)
    regions = options.get("regions", 7)
    high, wide = height // regions, width // regions
    areas = [
        (slice(row * high, (row + 1) * high), slice(column * wide, (column + 1) * wide))
        for row in range(regions)
        for column in range(regions)
    ]
    out = torch.zeros_like(value)
    for b in range(images):
        asks = torch.stack([query[b][area].mean((0, 1)) for area in areas])
        answers = torch.stack([key[b][area].mean((0, 1)) for area in areas])
        related = (asks @ answers.T).argsort(dim=1, descending=True)[:, : options.get("topn", 15)]
        for region, area in enumerate(areas):
            keys = torch.cat([key[b][areas[i]].reshape(-1, channels) for i in related[region].tolist()])
            values = torch.cat([value[b][areas[i]].reshape(-1, channels) for i in related[region].tolist()])
            for head in range(HEADS):
                own = slice(head * across, (head + 1) * across)
                share = torch.softmax(query[b][area][..., own] @ keys[:, own].T * scale, dim=-1)
                out[b][area][..., own] = share @ values[:, own]
    encoding = options.get("local_encoding", "after")
    if encoding != "none":
        local = conv(weights, "local", value.permute(0, 3, 1, 2), padding=2).permute(0, 2, 3, 1)
    out = linear(weights, "project", out + local if encoding == "before" else out)
    if encoding == "after":
        out = out + local
    out = out.permute(0, 3, 1, 2)
    return x_BCHW + out if options.get("residual") else out


def _window(weights: Weights, x_BCHW: Tensor) -> Tensor:
    """The ablation `rw`: window cross-attention whose queries are a projection of the map itself."""
    side = x_BCHW.shape[-1]
    x = tokens(x_BCHW)
    out = window_attention(weights.under("attention"), x, linear(weights, "query", x), side=side, num_heads=HEADS)
    return out.transpose(1, 2).reshape(x_BCHW.shape)


NARROW = {"widths": (8, 16, 24, 32), "blocks": (1, 2, 1, 1)}


def test_logits_equal_the_reference() -> None:
    compare(shaken("sfer-mdfae", **NARROW), pictures("sfer-mdfae", 224), reference)


@pytest.mark.parametrize("variant", ["nm", "np", "na", "rw"])
def test_ablations(variant: str) -> None:
    model = shaken("sfer-mdfae", variant=variant, **NARROW)
    compare(model, pictures("sfer-mdfae", 112), partial(reference, variant=variant))


@pytest.mark.parametrize(
    "options",
    [
        {"topn": 1},
        {"topn": 49},
        {"scale": "channels", "local_encoding": "before"},
        {"local_encoding": "none", "residual": True},
        {"resize": "nearest"},
    ],
    ids=lambda options: "-".join(f"{key}={value}" for key, value in options.items()),
)
def test_options(options: dict[str, Any]) -> None:
    model = shaken("sfer-mdfae", **NARROW, **options)
    compare(model, pictures("sfer-mdfae", 224), partial(reference, **options))


@pytest.mark.parametrize("topn", [1, 3, 15])
def test_regions_of_four_patches(topn: int) -> None:
    """A picture of 224 that is not made smaller: the last map is 14x14, its regions are still 7x7."""
    model = shaken("sfer-mdfae", widths=(8, 8, 8, 16), blocks=(1, 1, 1, 1), topn=topn, resize="none")
    compare(model, pictures("sfer-mdfae", 224), partial(reference, topn=topn, resize="none"))


def test_nine_regions_of_a_small_picture() -> None:
    model = shaken("sfer-mdfae", widths=(8, 8, 8, 16), blocks=(1, 1, 1, 1), topn=3, image_size=48)
    compare(model, pictures("sfer-mdfae", 48), partial(reference, topn=3, regions=3, resize="none"))
