import math

import pytest
import torch
import torch.nn.functional as F

from fercli.models.build import build_model
from fercli.models.networks.emonext import BatchAttention, ConvNextBlock, EmoNext, SpatialTransformer
from tests.models.shapes import output_shapes
from tests.models.small import pictures, small_model


def test_maps_have_the_sizes_of_convnext_base() -> None:
    model = EmoNext(7, depths=(1, 1, 1, 1), widths=(128, 256, 512, 1024)).eval()
    shapes = output_shapes(model, torch.zeros(1, 3, 224, 224))
    assert [shapes[f"stages.{i}"] for i in range(4)] == [
        (1, 128, 56, 56),
        (1, 256, 28, 28),
        (1, 512, 14, 14),
        (1, 1024, 7, 7),
    ]
    assert shapes["transformer.locate.2"] == (1, 8, 109, 109)
    assert shapes["transformer.locate.7"] == (1, 10, 52, 52)
    assert shapes["head"] == (1, 7)


def test_the_regressor_reads_27040_numbers() -> None:
    layer = SpatialTransformer(224).regress[0]
    assert isinstance(layer, torch.nn.Linear)
    assert layer.in_features == 27_040


@pytest.mark.parametrize(
    ("name", "depths", "widths"),
    [
        ("emonext-tiny", [3, 3, 9, 3], (96, 768)),
        ("emonext-small", [3, 3, 27, 3], (96, 768)),
        ("emonext", [3, 3, 27, 3], (128, 1024)),
        ("emonext-large", [3, 3, 27, 3], (192, 1536)),
    ],
)
def test_sizes_are_those_of_convnext(name: str, depths: list[int], widths: tuple[int, int]) -> None:
    with torch.device("meta"):
        model = build_model(name, num_classes=7)
    assert isinstance(model, EmoNext)
    assert [len(stage) for stage in model.stages] == depths  # type: ignore[arg-type]  # Sequentials
    assert (model.stages[0][0].scale.numel(), model.head.in_features) == widths  # type: ignore[index,union-attr,operator]  # a Sequential of blocks


def test_the_spatial_transformer_starts_as_the_identity() -> None:
    torch.manual_seed(0)
    model = EmoNext(7, depths=(1, 1, 1, 1), widths=(16, 16, 16, 16), image_size=64).eval()
    image = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(model.transformer(image), image, atol=1e-5, rtol=0)


def test_the_spatial_transformer_shifts_by_what_it_is_told() -> None:
    torch.manual_seed(0)
    transformer = SpatialTransformer(64).eval()
    transformer.reset()
    last = transformer.regress[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        # A quarter of the width to the right: 2 of [-1, 1] are 63 steps, so 8 pixels are 16 / 63.
        last.bias[2] = 16 / 63
    image = torch.rand(1, 3, 64, 64)
    expected = F.pad(image[..., 8:], (0, 8))
    torch.testing.assert_close(transformer(image), expected, atol=1e-4, rtol=0)


def test_the_spatial_transformer_samples_bilinearly_along_an_affine_grid() -> None:
    torch.manual_seed(0)
    transformer, image = SpatialTransformer(20).eval(), torch.rand(1, 1, 20, 20).expand(1, 3, 20, 20)
    transformer.reset()
    theta = torch.tensor([[0.8, 0.3, -0.2], [-0.25, 0.9, 0.35]])
    last = transformer.regress[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.bias.copy_(theta.flatten())
    expected = torch.zeros(20, 20)
    for i in range(20):
        for j in range(20):
            place = theta @ torch.tensor([2 * j / 19 - 1, 2 * i / 19 - 1, 1.0])
            column, row = ((place + 1) * 19 / 2).tolist()
            left, top = math.floor(column), math.floor(row)
            for r, weight_r in ((top, top + 1 - row), (top + 1, row - top)):
                for c, weight_c in ((left, left + 1 - column), (left + 1, column - left)):
                    if 0 <= r < 20 and 0 <= c < 20:
                        expected[i, j] += weight_r * weight_c * image[0, 0, r, c]
    torch.testing.assert_close(transformer(image)[0, 0].detach(), expected, atol=1e-5, rtol=1e-4)


def test_the_affine_map_is_read_off_the_picture() -> None:
    model, images = small_model("emonext-base"), pictures("emonext-base")
    assert isinstance(model, EmoNext)
    transformer = model.transformer
    theta = transformer.regress(transformer.locate(images).flatten(1))
    assert theta.shape == (2, 6)
    assert not torch.equal(theta[0], theta[1])


def test_channel_norm_is_a_layer_norm_per_pixel() -> None:
    torch.manual_seed(0)
    norm, x = small_model("emonext-base").get_submodule("downsample.1.0"), torch.randn(2, 16, 3, 4)
    assert isinstance(norm, torch.nn.LayerNorm)
    torch.nn.init.uniform_(norm.weight)
    centred = x - x.mean(1, keepdim=True)
    expected = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt() * norm.weight[:, None, None]
    torch.testing.assert_close(norm(x), expected)


def test_a_block_without_scale_is_the_identity() -> None:
    block, x = ConvNextBlock(4, 0.0, 0.0), torch.randn(1, 4, 6, 6)
    torch.testing.assert_close(block(x), x)


def test_drop_path_rises_to_its_rate() -> None:
    model = EmoNext(7, depths=(1, 1, 2, 1), widths=(8, 8, 8, 8), drop_path=0.1, image_size=64)
    rates = [block.drop_path.p for stage in model.stages for block in stage]  # type: ignore[attr-defined]  # Sequentials of blocks
    assert rates == pytest.approx([0, 0.025, 0.05, 0.075, 0.1])


def test_batch_attention_is_a_softmax_over_the_batch() -> None:
    torch.manual_seed(0)
    module, x = BatchAttention(16), torch.randn(3, 16)
    normed = F.layer_norm(x, (16,))
    query = normed @ module.query.weight.T + module.query.bias
    key = normed @ module.key.weight.T + module.key.bias
    scores = query @ key.T / math.sqrt(math.sqrt(16))
    expected = scores.exp() / scores.exp().sum(1, keepdim=True)
    torch.testing.assert_close(module(x), expected)


def test_the_value_projection_is_counted_but_never_trained() -> None:
    assert not any(p.requires_grad for p in BatchAttention(8).value.parameters())


def test_logits_do_not_depend_on_the_attention() -> None:
    model, images = small_model("emonext-base"), pictures("emonext-base")
    assert isinstance(model, EmoNext)
    with torch.no_grad():
        before = model.forward_features(images)
        model.attention.query.weight.add_(torch.randn_like(model.attention.query.weight))
        after = model.forward_features(images)
    assert torch.equal(before.logits_BK, after.logits_BK)
    assert not torch.equal(before.attention_BB, after.attention_BB)


def test_a_picture_too_small_for_the_transformer_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 18"):
        EmoNext(7, image_size=16)
