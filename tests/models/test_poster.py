import pytest
import torch
import torch.nn.functional as F

from fercli.models.networks.poster import CrossFusion, Poster, PyramidBlock, StreamAttention, with_mean_token
from tests.models.shapes import output_shapes
from tests.models.small import pictures, small_model


def test_maps_have_the_sizes_of_the_paper() -> None:
    with torch.device("meta"):
        model = Poster(7)
        shapes = output_shapes(model, torch.zeros(1, 3, 224, 224))
    expected = {
        "backbone.stages.2": (1, 256, 14, 14),
        "embed": (1, 49, 512),
        "landmarks.network.conv6": (1, 512, 7, 7),
        "narrow_half": (1, 100, 256),
        "narrow_quarter": (1, 100, 128),
        "blocks.7.fusions.0": (1, 100, 512),
        "blocks.7.fusions.1": (1, 100, 256),
        "blocks.7.fusions.2": (1, 100, 128),
        "blocks.7.widen_half": (1, 100, 512),
        "blocks.7.widen_quarter": (1, 100, 256),
        "head": (1, 7),
    }
    assert {name: shapes[name] for name in expected} == expected
    assert len(model.blocks) == 8


def test_stream_attention_takes_its_queries_unprojected_from_the_other_stream() -> None:
    torch.manual_seed(0)
    module = StreamAttention(8, 2)
    own, other = torch.randn(1, 5, 8), torch.randn(1, 5, 8)
    key = own @ module.key_value.weight[:8].T + module.key_value.bias[:8]
    value = own @ module.key_value.weight[8:].T + module.key_value.bias[8:]
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        weights = torch.softmax(other[..., part] @ key[..., part].transpose(1, 2) / 2, dim=-1)
        heads.append(weights @ value[..., part])
    expected = torch.cat(heads, -1) @ module.project.weight.T + module.project.bias
    torch.testing.assert_close(module(own, other), expected)


def fusion(seed: int = 0) -> CrossFusion:
    torch.manual_seed(seed)
    module = CrossFusion(8, 6, 2, mlp_ratio=2.0, drop_path=0.0).eval()
    # Without mixing, so that each stream's own wiring shows.
    torch.nn.init.dirac_(module.mix.weight)
    torch.nn.init.zeros_(module.mix.bias)  # type: ignore[arg-type]  # built with a bias
    return module


def moved_tokens(module: torch.nn.Module, token: int) -> set[int]:
    x = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(1))
    jacobian = torch.autograd.functional.jacobian(module, x)
    return {i for i in range(6) if jacobian[0, i, :, 0, token].abs().sum() > 0}


def test_each_stream_sees_all_of_both() -> None:
    module = fusion()
    # Image tokens 0-2: own values (all image tokens) and, as queries, the landmark token of the same place.
    assert moved_tokens(module, 1) == {0, 1, 2, 4}
    assert moved_tokens(module, 4) == {1, 3, 4, 5}


def test_values_come_from_the_own_stream() -> None:
    module = fusion()
    with torch.no_grad():
        x = torch.randn(1, 6, 8)
        before = module(x)
        module.image_attention.key_value.weight[8:] += torch.randn(8, 8)
        after = module(x)
    assert not torch.allclose(before[:, :3], after[:, :3])
    assert torch.equal(before[:, 3:], after[:, 3:])


def test_the_mixer_is_a_linear_map_over_tokens() -> None:
    torch.manual_seed(0)
    module = CrossFusion(8, 6, 2, mlp_ratio=2.0, drop_path=0.0).eval()
    assert moved_tokens(module, 4) == set(range(6))


@pytest.mark.parametrize("level", range(3))
def test_the_pyramid_feeds_wide_from_narrow_only(level: int) -> None:
    torch.manual_seed(0)
    block = PyramidBlock(16, 6, 2, mlp_ratio=2.0, drop_path=0.0).eval()
    pyramid = tuple(torch.randn(1, 6, width) for width in (16, 8, 4))
    with torch.no_grad():
        before = block(pyramid)
        changed = tuple(x + 1.0 * torch.randn_like(x) if i == level else x for i, x in enumerate(pyramid))
        after = block(changed)
    moved = {i for i in range(3) if not torch.allclose(before[i], after[i])}
    assert moved == set(range(level + 1))


def test_the_mean_token_stands_in_front() -> None:
    tokens = torch.arange(6.0).reshape(1, 3, 2)
    assert with_mean_token(tokens).tolist() == [[[2, 3], [0, 1], [2, 3], [4, 5]]]


def test_memory_tokens_are_the_maps_numbers_in_channel_order() -> None:
    model = small_model("poster")
    assert isinstance(model, Poster)
    x = torch.arange(16.0 * 196).reshape(1, 16, 14, 14)
    expected = torch.arange(16.0 * 196).reshape(1, 49, 64)
    assert torch.equal(model._cut(x), expected)
    assert torch.equal(model._cut(x.contiguous(memory_format=torch.channels_last)), expected)


def test_spatial_tokens_are_patches_of_two_by_two() -> None:
    model = small_model("poster", tokens="spatial")
    assert isinstance(model, Poster)
    x = torch.randn(1, 16, 14, 14)
    token = model._cut(x)[0, 8].reshape(16, 2, 2)
    torch.testing.assert_close(token, x[0, :, 2:4, 2:4])


def tokens_entering(model: Poster, image: torch.Tensor) -> torch.Tensor:
    """The 100 tokens of the first pyramid block, at full width."""
    kept: list[torch.Tensor] = []
    handle = model.blocks[0].register_forward_pre_hook(lambda _module, inputs: kept.append(inputs[0][0]))
    with torch.inference_mode():
        model(image)
    handle.remove()
    return kept[0]


@pytest.mark.parametrize(
    ("part", "moved"),
    [("embed", range(50)), ("landmarks.network.conv6", range(50, 100))],
    ids=["image", "landmarks"],
)
def test_image_tokens_come_first_and_landmark_tokens_behind(part: str, moved: range) -> None:
    model, image = small_model("poster"), pictures("poster", 1)
    assert isinstance(model, Poster)
    before = tokens_entering(model, image)
    with torch.no_grad():
        for parameter in model.get_submodule(part).parameters():
            parameter.add_(0.5)
    after = tokens_entering(model, image)
    assert (before != after).any(2)[0].nonzero().flatten().tolist() == list(moved)


def test_only_image_tokens_have_a_position() -> None:
    model, image = small_model("poster"), pictures("poster", 1)
    assert isinstance(model, Poster)
    before = tokens_entering(model, image)
    with torch.no_grad():
        model.position.add_(1.0)
    difference = tokens_entering(model, image) - before
    torch.testing.assert_close(difference[:, :50], torch.ones_like(difference[:, :50]))
    assert not difference[:, 50:].any()


def test_the_class_is_read_off_the_mean_token_of_the_image() -> None:
    model, image = small_model("poster"), pictures("poster", 1)
    assert isinstance(model, Poster)
    tokens = torch.randn(1, 100, model.norm.normalized_shape[0])
    handle = model.blocks[-1].register_forward_hook(lambda _module, _inputs, output: (tokens, *output[1:]))
    with torch.inference_mode():
        expected = model.head(model.excite(model.norm(tokens[:, 0])))
        torch.testing.assert_close(model(image), expected)
    handle.remove()


def test_without_its_branches_a_fusion_passes_tokens_on() -> None:
    module, x = fusion(), torch.randn(1, 6, 8)
    with torch.no_grad():
        for attention, mlp in (
            (module.image_attention, module.image_mlp),
            (module.landmark_attention, module.landmark_mlp),
        ):
            for layer in (attention.project, mlp[1].narrow):
                torch.nn.init.zeros_(layer.weight)  # type: ignore[arg-type]  # a Linear
                torch.nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # a Linear
        torch.testing.assert_close(module(x), x)


def test_landmarks_can_be_trained() -> None:
    model = small_model("poster", freeze_landmarks=False).train()
    model(pictures("poster", 2)).sum().backward()
    assert model.get_submodule("landmarks.conv1.0").weight.grad.any()  # type: ignore[union-attr,operator]  # a convolution


def test_nearest_resizing_gives_other_logits() -> None:
    image = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        smooth, coarse = (small_model("poster", resize=rule)(image) for rule in ("antialias", "nearest"))
        small = small_model("poster")(F.interpolate(image, size=(112, 112)))
    assert not torch.allclose(smooth, coarse)
    torch.testing.assert_close(coarse, small)


def test_heads_that_do_not_fit_a_quarter_width_are_refused() -> None:
    with pytest.raises(ValueError, match="heads is 3"):
        Poster(7, heads=3, landmark_width=0.125)
