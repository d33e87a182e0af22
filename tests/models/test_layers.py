import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import ops
from torchvision.models import convnext

from fercli.models.networks.layers import (
    ChannelAttention,
    LayerNorm2d,
    SqueezeExcitation,
    StochasticDepth,
    WindowCrossAttention,
    relative_positions,
    resize_image,
)


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    image = torch.rand(1, 3, 112, 112)
    assert resize_image(image, 112, "antialias") is image


def test_nearest_keeps_every_second_pixel() -> None:
    image = torch.rand(1, 3, 16, 16)
    assert torch.equal(resize_image(image, 8, "nearest"), image[:, :, ::2, ::2])


def test_antialias_halves_with_weights_1_3_3_1() -> None:
    image = torch.zeros(1, 1, 16, 16)
    image[:, :, :, 7] = 1.0
    small = resize_image(image, 8, "antialias")[0, 0, 4]
    torch.testing.assert_close(small, torch.tensor([0, 0, 0, 3 / 8, 1 / 8, 0, 0, 0]))


def test_no_resizing_is_an_option() -> None:
    image = torch.rand(1, 3, 20, 20)
    assert resize_image(image, 8, "none") is image


def test_bfloat16_pictures_stay_bfloat16() -> None:
    assert resize_image(torch.rand(1, 3, 16, 16).bfloat16(), 8, "antialias").dtype is torch.bfloat16


def test_channel_attention_is_the_sum_of_both_pools_through_one_mlp() -> None:
    torch.manual_seed(0)
    module, x = ChannelAttention(8), torch.randn(2, 8, 5, 5)
    first, second = module.mlp[0], module.mlp[2]

    def answer(vector: Tensor) -> Tensor:
        hidden = (vector @ first.weight.T + first.bias).clamp(min=0)  # type: ignore[union-attr,operator]  # a Linear
        return hidden @ second.weight.T + second.bias  # type: ignore[union-attr,operator,return-value]  # a Linear

    pooled = answer(x.flatten(2).max(2).values) + answer(x.flatten(2).sum(2) / 25)
    torch.testing.assert_close(module(x), x * (1 / (1 + (-pooled).exp()))[:, :, None, None])


def test_channel_attention_has_half_c_squared_and_five_quarters_c_parameters() -> None:
    assert sum(p.numel() for p in ChannelAttention(64).parameters()) == 64**2 // 2 + 5 * 64 // 4


@pytest.mark.parametrize("shape", [(2, 8), (2, 8, 4, 4)], ids=["vector", "map"])
def test_squeeze_excitation_scales_channels_by_their_means(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    module, x = SqueezeExcitation(8, 2, bias=False), torch.randn(shape)
    mean = x if x.ndim == 2 else x.flatten(2).sum(2) / 16
    hidden = (mean @ module.gate[0].weight.T).clamp(min=0)  # type: ignore[union-attr,operator]  # a Linear
    gate = 1 / (1 + (-(hidden @ module.gate[2].weight.T)).exp())  # type: ignore[union-attr,operator]  # a Linear
    torch.testing.assert_close(module(x), x * gate.reshape(gate.shape + (1,) * (x.ndim - 2)))


def test_window_attention_is_torchs_attention_with_a_bias() -> None:
    torch.manual_seed(0)
    module, tokens, query = WindowCrossAttention(8, 2, 3), torch.randn(2, 9, 8), torch.randn(2, 9, 8)
    nn.init.normal_(module.relative_bias)
    key = tokens @ module.key_value.weight[:8].T + module.key_value.bias[:8]
    value = tokens @ module.key_value.weight[8:].T + module.key_value.bias[8:]
    answers = []
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        bias = torch.empty(9, 9)
        for i in range(9):
            for j in range(9):
                row = (i // 3 - j // 3 + 2) * 5 + (i % 3 - j % 3 + 2)
                bias[i, j] = module.relative_bias[row, head]
        answers.append(
            F.scaled_dot_product_attention(query[..., part], key[..., part], value[..., part], attn_mask=bias)
        )
    expected = torch.cat(answers, dim=-1) @ module.project.weight.T + module.project.bias
    torch.testing.assert_close(module(tokens, query), expected)


def test_relative_positions_count_every_offset_once_per_pair() -> None:
    index = relative_positions(2)
    assert index.tolist() == [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]


def test_window_attention_refuses_heads_that_do_not_divide() -> None:
    with pytest.raises(ValueError, match="cannot be shared by 3 heads"):
        WindowCrossAttention(8, 3, 7)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_stochastic_depth_draws_as_torchvision_does(share: float) -> None:
    branch = torch.randn(16, 4, 3)
    found = []
    for layer in (StochasticDepth(share), ops.StochasticDepth(share, "row")):
        torch.manual_seed(5)
        found.append(layer(branch))
    assert torch.equal(*found)
    assert torch.equal(StochasticDepth(share).eval()(branch), branch)


def test_norm_of_a_map_is_that_of_torchvisions_convnext() -> None:
    ours, theirs = LayerNorm2d(6, eps=1e-6), convnext.LayerNorm2d(6, eps=1e-6)
    image = torch.randn(2, 6, 3, 5)
    for layer in (ours, theirs):
        torch.nn.init.constant_(layer.weight, 1.5)
        torch.nn.init.constant_(layer.bias, 0.2)
    assert torch.equal(ours(image), theirs(image))
