import math
from typing import Any

import pytest
import torch
from torch import Tensor

from fercli.models.build import build_model
from fercli.models.networks.sfer_mdfae import SferMdfae, TopRegionAttention, WindowAttention
from tests.models.shapes import output_shapes
from tests.models.small import SMALL, small_model


def attend_by_hand(module: TopRegionAttention, x: Tensor, *, root: float, before: bool) -> Tensor:
    """KROA, one query at a time: choose regions by their means, gather their patches, softmax, mix."""
    channels, height, width = x.shape
    m, heads = module.regions, module.num_heads
    row_size, column_size = height // m, width // m
    tokens = x.flatten(1).T
    query, key, value = (tokens @ module.qkv.weight.T + module.qkv.bias).split(channels, dim=1)
    patches_of = [
        [(r * row_size + i) * width + c * column_size + j for i in range(row_size) for j in range(column_size)]
        for r in range(m)
        for c in range(m)
    ]
    out = torch.empty_like(tokens)
    for own in patches_of:
        scores = [float(query[own].mean(0) @ key[other].mean(0)) for other in patches_of]
        best = sorted(range(m * m), key=lambda region: -scores[region])[: module.topn]
        seen = [patch for region in best for patch in patches_of[region]]
        for patch in own:
            for head in range(heads):
                part = slice(head * channels // heads, (head + 1) * channels // heads)
                weights = torch.softmax(key[seen, part] @ query[patch, part] / root, dim=0)
                out[patch, part] = weights @ value[seen, part]
    local = torch.zeros_like(tokens)
    if module.local is not None:
        padded = torch.nn.functional.pad(value.T.reshape(1, channels, height, width), (2, 2, 2, 2))[0]
        for i in range(height):
            for j in range(width):
                window = padded[:, i : i + 5, j : j + 5]
                local[i * width + j] = (window * module.local.weight[:, 0]).sum((1, 2)) + module.local.bias
    mixed = out + local if before else out
    result = mixed @ module.project.weight.T + module.project.bias
    return (result if before else result + local).T.reshape(channels, height, width)


def drawn_attention(**options: Any) -> TopRegionAttention:
    """KROA of 8 channels and 2 heads with nothing left as it starts, its local kernel above all."""
    module = TopRegionAttention(8, num_heads=2, **options)
    if module.local is not None:
        torch.nn.init.normal_(module.local.weight)
        torch.nn.init.normal_(module.local.bias)
    return module


@pytest.mark.parametrize("topn", [1, 3, 9])
@pytest.mark.parametrize(("height", "width"), [(3, 3), (6, 6), (6, 9)], ids=["3x3", "6x6", "6x9"])
def test_kroa_is_the_per_query_definition(topn: int, height: int, width: int) -> None:
    torch.manual_seed(topn)
    module = drawn_attention(regions=3, topn=topn)
    x = torch.randn(2, 8, height, width)
    with torch.no_grad():
        expected = torch.stack([attend_by_hand(module, one, root=2.0, before=False) for one in x])
        torch.testing.assert_close(module(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("regions", "height", "width", "topn"),
    [(1, 3, 2, 1), (2, 4, 6, 3), (4, 8, 4, 5), (7, 7, 7, 15), (7, 14, 7, 49)],
    ids=str,
)
def test_kroa_is_the_per_query_definition_for_any_grid(regions: int, height: int, width: int, topn: int) -> None:
    torch.manual_seed(regions)
    module = drawn_attention(regions=regions, topn=topn)
    x = torch.randn(8, height, width)
    with torch.no_grad():
        expected = attend_by_hand(module, x, root=2.0, before=False)
        torch.testing.assert_close(module(x[None])[0], expected, atol=1e-5, rtol=1e-5)


def test_a_map_that_regions_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="a map of 8 x 9 cannot be cut into 3 x 3 equal regions"):
        TopRegionAttention(8, regions=3, topn=2, num_heads=2)(torch.randn(1, 8, 8, 9))


@pytest.mark.parametrize(
    ("option", "root", "before"),
    [({"scale": "channels"}, math.sqrt(8), False), ({"local_encoding": "before"}, 2.0, True)],
    ids=["scale by all channels", "local encoding before"],
)
def test_kroa_options_are_the_per_query_definition(option: dict[str, str], root: float, before: bool) -> None:
    torch.manual_seed(0)
    module = drawn_attention(regions=3, topn=2, **option)
    x = torch.randn(8, 6, 6)
    with torch.no_grad():
        expected = attend_by_hand(module, x, root=root, before=before)
        torch.testing.assert_close(module(x[None])[0], expected, atol=1e-5, rtol=1e-5)


def test_the_local_encoding_starts_as_the_values_themselves() -> None:
    module = TopRegionAttention(8, regions=3, topn=2, num_heads=2)
    values = torch.randn(2, 8, 6, 6)
    assert module.local is not None
    assert torch.equal(module.local(values), values)


def test_all_regions_are_full_attention() -> None:
    torch.manual_seed(0)
    module = TopRegionAttention(8, regions=3, topn=9, num_heads=2, local_encoding="none")
    query_key = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        query_key.in_proj_weight.copy_(module.qkv.weight)
        query_key.in_proj_bias.copy_(module.qkv.bias)
        query_key.out_proj.load_state_dict(module.project.state_dict())
    x = torch.randn(2, 8, 6, 6)
    tokens = x.flatten(2).transpose(1, 2)
    expected = query_key(tokens, tokens, tokens, need_weights=False)[0]
    torch.testing.assert_close(module(x).flatten(2).transpose(1, 2), expected)


def test_almost_all_regions_with_a_mask_equal_all_without() -> None:
    torch.manual_seed(0)
    module = TopRegionAttention(8, regions=3, topn=9, num_heads=2)
    x = torch.randn(2, 8, 6, 6)
    assert module.route(x, x).all()


def test_residual_adds_the_input() -> None:
    torch.manual_seed(0)
    plain = TopRegionAttention(8, regions=3, topn=2, num_heads=2)
    added = TopRegionAttention(8, regions=3, topn=2, num_heads=2, residual=True)
    added.load_state_dict(plain.state_dict())
    x = torch.randn(1, 8, 3, 3)
    torch.testing.assert_close(added(x), plain(x) + x)


def test_a_region_that_is_not_chosen_is_not_seen() -> None:
    torch.manual_seed(0)
    module = TopRegionAttention(8, regions=3, topn=2, num_heads=2, local_encoding="none")
    x = torch.randn(1, 8, 3, 3)
    tokens = x.flatten(2).transpose(1, 2)
    query, key, _ = module.qkv(tokens).chunk(3, dim=-1)
    scores = (query @ key.transpose(1, 2))[0]
    seen = set(scores[0].topk(2).indices.tolist())
    jacobian = torch.autograd.functional.jacobian(lambda y: module(y)[0, :, 0, 0], x)
    moved = {i for i in range(9) if jacobian[:, 0, :, i // 3, i % 3].abs().sum() > 0}
    assert moved == seen | {0}


def test_routing_is_computed_in_float32_even_from_bfloat16() -> None:
    torch.manual_seed(0)
    module = TopRegionAttention(64, regions=3, topn=1, num_heads=2)
    # All regions nearly alike: their scores differ by less than bfloat16 can tell.
    query, key = (4 + 0.05 * torch.randn(8, 64, 3, 3)).bfloat16(), (4 + 0.05 * torch.randn(8, 64, 3, 3)).bfloat16()
    exact = query.double().flatten(2).transpose(1, 2) @ key.double().flatten(2)
    coarse = query.flatten(2).transpose(1, 2) @ key.flatten(2)
    expected = torch.nn.functional.one_hot(exact.argmax(-1), 9).bool()
    assert (coarse.argmax(-1) != exact.argmax(-1)).any()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(module.route(query, key), expected)


def test_routing_has_no_gradient() -> None:
    x = torch.randn(1, 8, 3, 3, requires_grad=True)
    assert not TopRegionAttention(8, regions=3, topn=2, num_heads=2).route(x, x).requires_grad


def test_kroa_at_512_channels_has_1063936_parameters() -> None:
    assert sum(p.numel() for p in TopRegionAttention(512).parameters()) == 1_063_936


@pytest.mark.parametrize("options", [{"topn": 0}, {"topn": 50}, {"heads": 7}], ids=str)
def test_impossible_options_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"topn is|heads is"):
        SferMdfae(7, widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), **options)  # type: ignore[arg-type]  # numbers


@pytest.mark.parametrize(
    ("variant", "parameters"),
    [
        ("full", 31_975_414),
        ("nm", 31_929_158),
        ("np", 31_800_134),
        ("np-l4", 31_797_446),
        ("na", 30_911_478),
        ("rw", 31_963_454),
    ],
)
def test_variants_have_the_sizes_their_docstring_states(variant: str, parameters: int) -> None:
    with torch.device("meta"):
        model = build_model("sfer-mdfae", num_classes=6, variant=variant)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert f"{parameters:,}" in (SferMdfae.__doc__ or "")


def test_features_are_960_and_512_long() -> None:
    model = SferMdfae(7).eval()
    with torch.inference_mode():
        multi, deep = model.forward_features(torch.zeros(1, 3, 112, 112))
    assert tuple(multi.shape) == (1, 960)
    assert tuple(deep.shape) == (1, 512)
    assert model.classify.in_features == 1472


@pytest.mark.parametrize("size", [112, 224])
def test_the_backbone_always_sees_112_pixels(size: int) -> None:
    shapes = output_shapes(small_model("sfer-mdfae"), torch.rand(1, 3, size, size))
    assert shapes["backbone.stem"] == (1, 8, 112, 112)
    assert shapes["kroa"] == (1, 32, 7, 7)


@pytest.mark.parametrize("variant", ["full", "rw"])
def test_smaller_pictures_keep_one_patch_to_a_region(variant: str) -> None:
    model = small_model("sfer-mdfae", image_size=48, topn=3, variant=variant)
    shapes = output_shapes(model, torch.rand(1, 3, 64, 64))
    assert shapes["backbone.stem"] == (1, 8, 48, 48)
    assert shapes["kroa"] == (1, 32, 3, 3)


@pytest.mark.parametrize("size", [16, 56])
def test_sides_that_16_does_not_divide_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="divisible by 16"):
        SferMdfae(7, widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), image_size=size)


def test_without_resizing_a_large_picture_gives_a_large_map() -> None:
    shapes = output_shapes(small_model("sfer-mdfae", resize="none"), torch.rand(1, 3, 224, 224))
    assert shapes["kroa"] == (1, 32, 14, 14)


def test_kroa_moves_the_deep_part_only() -> None:
    model, image = small_model("sfer-mdfae"), torch.rand(1, 3, 112, 112)
    assert isinstance(model, SferMdfae)
    with torch.no_grad():
        before = model.forward_features(image)
        for parameter in model.kroa.parameters():
            parameter.add_(0.1)
        after = model.forward_features(image)
    assert torch.equal(before.multi_BC, after.multi_BC)
    assert not torch.equal(before.deep_BC, after.deep_BC)


@pytest.mark.parametrize("scale", range(4))
def test_each_scale_has_its_own_place_in_the_multi_scale_vector(scale: int) -> None:
    model, image = small_model("sfer-mdfae"), torch.rand(1, 3, 112, 112)
    assert isinstance(model, SferMdfae)
    with torch.no_grad():
        before = model.forward_features(image).multi_BC
        for parameter in model.scales.attentions[scale].parameters():  # type: ignore[union-attr,index]  # a ModuleList
            parameter.add_(0.3)
        after = model.forward_features(image).multi_BC
    widths = SMALL["sfer-mdfae"].options["widths"]
    start = sum(widths[:scale])
    moved = (before != after)[0].nonzero().flatten().tolist()
    assert moved
    assert set(moved) <= set(range(start, start + widths[scale]))


def test_stages_and_features_have_the_sizes_of_the_paper() -> None:
    with torch.device("meta"):
        shapes = output_shapes(SferMdfae(7), torch.zeros(1, 3, 224, 224))
    expected = {
        "backbone.stages.0": (1, 64, 56, 56),
        "backbone.stages.1": (1, 128, 28, 28),
        "backbone.stages.2": (1, 256, 14, 14),
        "backbone.stages.3": (1, 512, 7, 7),
        "scales": (1, 960),
        "kroa.qkv": (1, 49, 1536),
        "kroa.local": (1, 512, 7, 7),
        "kroa.project": (1, 49, 512),
        "kroa": (1, 512, 7, 7),
        "classify": (1, 7),
    }
    assert {name: shapes[name] for name in expected} == expected


def test_variant_nm_is_the_attended_last_scale_alone() -> None:
    full, single = small_model("sfer-mdfae"), small_model("sfer-mdfae", variant="nm")
    assert isinstance(full, SferMdfae)
    assert isinstance(single, SferMdfae)
    last = full.scales.attentions[3]  # type: ignore[union-attr,index]  # a ModuleList
    single.backbone.load_state_dict(full.backbone.state_dict())
    single.scales.attentions[0].load_state_dict(last.state_dict())  # type: ignore[union-attr,index]  # a ModuleList
    image = torch.rand(1, 3, 112, 112)
    with torch.inference_mode():
        torch.testing.assert_close(
            single.forward_features(image).multi_BC, full.forward_features(image).multi_BC[:, 48:]
        )


def test_variant_np_is_the_means_of_all_scales() -> None:
    model, image = small_model("sfer-mdfae", variant="np"), torch.rand(1, 3, 112, 112)
    assert isinstance(model, SferMdfae)
    with torch.inference_mode():
        expected = torch.cat([x.mean((2, 3)) for x in model.backbone(image)], 1)
        torch.testing.assert_close(model.forward_features(image).multi_BC, expected)


def test_variant_np_l4_is_the_mean_of_the_last_map_twice_over() -> None:
    model, image = small_model("sfer-mdfae", variant="np-l4"), torch.rand(1, 3, 112, 112)
    assert isinstance(model, SferMdfae)
    with torch.inference_mode():
        found = model.forward_features(image)
        last = model.backbone(image)[-1]
        torch.testing.assert_close(found.multi_BC, last.mean((2, 3)))
        torch.testing.assert_close(found.deep_BC, model.kroa(last).mean((2, 3)))


def test_variant_rw_asks_the_last_map_by_a_projection_of_itself() -> None:
    model = small_model("sfer-mdfae", variant="rw")
    assert isinstance(model, SferMdfae)
    window = model.kroa
    assert isinstance(window, WindowAttention)
    x = torch.randn(1, 32, 7, 7)
    tokens = x.flatten(2).transpose(1, 2)
    with torch.inference_mode():
        expected = window.attention(tokens, tokens @ window.query.weight.T + window.query.bias)
        torch.testing.assert_close(window(x).flatten(2).transpose(1, 2), expected)
    assert not any(name.startswith("landmarks") for name, _ in model.named_modules())


def test_variant_na_is_the_mean_of_the_last_map() -> None:
    model, image = small_model("sfer-mdfae", variant="na"), torch.rand(1, 3, 112, 112)
    assert isinstance(model, SferMdfae)
    torch.testing.assert_close(model.forward_features(image).deep_BC, model.backbone(image)[-1].mean((2, 3)))


@pytest.mark.parametrize("variant", ["full", "nm", "np", "np-l4", "na", "rw"])
def test_variants_run_in_training(variant: str) -> None:
    model = small_model("sfer-mdfae", variant=variant).train()
    model(torch.rand(2, 3, 112, 112)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
