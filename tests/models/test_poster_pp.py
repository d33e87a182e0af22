import pytest
import torch

from fercli.models.networks.poster_pp import PosterPp, ScaleFusion, TransformerBlock
from tests.models.shapes import output_shapes
from tests.models.small import pictures, small_model


def test_maps_have_the_sizes_of_the_paper() -> None:
    with torch.device("meta"):
        model = PosterPp(7)
        shapes = output_shapes(model, torch.zeros(1, 3, 224, 224))
    expected = {
        "backbone.stages.0": (1, 64, 56, 56),
        "backbone.stages.1": (1, 128, 28, 28),
        "backbone.stages.2": (1, 256, 14, 14),
        "landmarks.network.conv3": (1, 64, 28, 28),
        "landmarks.network.conv4": (1, 128, 14, 14),
        "landmarks.network.conv6": (1, 512, 7, 7),
        "last_query": (1, 256, 7, 7),
        "fusions.0": (1, 64, 28, 28),
        "fusions.1": (1, 128, 14, 14),
        "fusions.2": (1, 256, 7, 7),
        "embeds.0": (1, 768, 7, 7),
        "embeds.1": (1, 768, 7, 7),
        "embeds.2": (1, 768, 7, 7),
        "blocks.1": (1, 148, 768),
        "head": (1, 7),
    }
    assert {name: shapes[name] for name in expected} == expected
    assert len(model.blocks) == 2


def test_heads_and_drop_path_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        model = PosterPp(7)
    assert [fusion.attention.num_heads for fusion in model.fusions] == [2, 4, 8]  # type: ignore[union-attr]  # fusions
    assert [fusion.drop_path.p for fusion in model.fusions] == [0.0, 0.125, 0.25]  # type: ignore[union-attr]  # fusions
    assert [block.num_heads for block in model.blocks] == [8, 8]


def test_without_scales_a_fusion_is_the_normed_half_size_map() -> None:
    torch.manual_seed(0)
    fusion = ScaleFusion(16, 2, 3, 0.0, layer_scale=0.0).eval()
    image = torch.randn(1, 16, 6, 6)
    halved = fusion.halve(image)
    expected = torch.nn.functional.layer_norm(halved.permute(0, 2, 3, 1), (16,)).permute(0, 3, 1, 2)
    torch.testing.assert_close(fusion(image, torch.randn(1, 16, 3, 3)), expected)


def test_landmarks_are_the_queries_of_a_fusion() -> None:
    torch.manual_seed(0)
    fusion = ScaleFusion(16, 2, 3, 0.0, layer_scale=1.0).eval()
    image, landmarks = torch.randn(1, 16, 6, 6), torch.randn(1, 16, 3, 3)

    def answer(query: torch.Tensor) -> torch.Tensor:
        return fusion(image, query)[0, :, 1, 1]  # type: ignore[no-any-return]  # a module's call

    # A query token moves its own place and no other: values come from the image.
    jacobian = torch.autograd.functional.jacobian(answer, landmarks)
    moved = jacobian[:, 0].abs().sum((0, 1)) > 0
    assert moved.tolist() == [[False, False, False], [False, True, False], [False, False, False]]


@pytest.mark.parametrize("scale", range(3))
def test_each_scale_reaches_the_logits(scale: int) -> None:
    model, image = small_model("poster-pp"), pictures("poster-pp", 1)
    with torch.no_grad():
        before = model(image)
        for parameter in model.get_submodule(f"embeds.{scale}").parameters():
            parameter.add_(torch.randn_like(parameter))
        assert not torch.allclose(model(image), before)


def test_transformer_block_is_torchs_pre_norm_layer() -> None:
    torch.manual_seed(0)
    block = TransformerBlock(16, 4).eval()
    layer = torch.nn.TransformerEncoderLayer(
        16, 4, 64, 0.0, activation="gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    ).eval()
    mlp = block.mlp[1]
    with torch.no_grad():
        layer.self_attn.in_proj_weight.copy_(block.qkv.weight)
        layer.self_attn.in_proj_bias.copy_(block.qkv.bias)
        layer.self_attn.out_proj.load_state_dict(block.project.state_dict())
        layer.linear1.load_state_dict(mlp.widen.state_dict())  # type: ignore[union-attr]  # an Mlp
        layer.linear2.load_state_dict(mlp.narrow.state_dict())  # type: ignore[union-attr]  # an Mlp
        x = torch.randn(2, 5, 16)
        torch.testing.assert_close(block(x), layer(x))


def test_the_class_token_stands_in_front_of_147_tokens() -> None:
    with torch.device("meta"):
        model = PosterPp(7)
    assert model.position.shape == (1, 148, 768)
    assert model.class_token.shape == (1, 1, 768)


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be shared by 5 heads"):
        PosterPp(7, heads=5, landmark_width=0.125, embed=32)
