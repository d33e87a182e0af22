import pytest
import torch
from torch import nn

from fercli.models.networks.ddamfn import (
    AxisGate,
    CoordinateAttention,
    Ddamfn,
    DirectionAttention,
    MixedBlock,
    MixedDepthwise,
    MixedFeatureNet,
)
from tests.models.shapes import output_shapes
from tests.models.small import pictures, small_model


def test_maps_have_the_sizes_of_the_papers_table() -> None:
    shapes = output_shapes(Ddamfn(7), torch.zeros(1, 3, 112, 112))
    expected = {
        "backbone.conv1": (1, 64, 56, 56),
        "backbone.conv2": (1, 64, 56, 56),
        "backbone.conv3.0": (1, 64, 28, 28),
        "backbone.conv3": (1, 64, 28, 28),
        "backbone.conv4.0": (1, 128, 14, 14),
        "backbone.conv4": (1, 128, 14, 14),
        "backbone.conv5.0": (1, 256, 7, 7),
        "backbone.conv5": (1, 256, 7, 7),
        "backbone.conv6": (1, 512, 7, 7),
        "heads.0": (1, 512, 7, 7),
        "heads.1": (1, 512, 7, 7),
        "weighted": (1, 512, 7, 7),
        "collect": (1, 512, 1, 1),
        "backbone.conv3.0.expand": (1, 128, 56, 56),
        "backbone.conv4.1.expand": (1, 256, 14, 14),
        "backbone.conv5.0.expand": (1, 1024, 14, 14),
        "backbone.conv5.1.expand": (1, 512, 7, 7),
        "heads.0.rows": (1, 512, 7, 1),
        "heads.0.columns": (1, 512, 1, 7),
        "heads.0.gate.squeeze": (1, 16, 14, 1),
        "fc": (1, 7),
    }
    assert {name: shapes[name] for name in expected} == expected


def test_stages_have_9_16_and_6_residual_blocks() -> None:
    with torch.device("meta"):
        network = MixedFeatureNet()
    for stage, repeats in ((network.conv3, 9), (network.conv4, 16), (network.conv5, 6)):
        assert [block.is_residual for block in stage] == [False] + [True] * repeats


@pytest.mark.parametrize(
    ("place", "groups"),
    [
        ("conv3.0", {3: 64, 5: 32, 7: 32}),
        ("conv3.1", {3: 96, 5: 32}),
        ("conv4.0", {3: 128, 5: 64, 7: 64}),
        ("conv4.1", {3: 192, 5: 64}),
        ("conv5.0", {3: 256, 5: 256, 7: 256, 9: 256}),
        ("conv5.1", {3: 172, 5: 170, 7: 170}),
    ],
)
def test_kernels_are_those_of_the_papers_table(place: str, groups: dict[int, int]) -> None:
    with torch.device("meta"):
        module = MixedFeatureNet().get_submodule(place).get_submodule("depthwise")
    assert isinstance(module, MixedDepthwise)
    found = {conv.kernel_size[0]: conv.out_channels for conv in module.convs}  # type: ignore[index,union-attr]  # convolutions
    assert found == groups


def test_each_channel_group_sees_its_own_kernel() -> None:
    torch.manual_seed(0)
    module = MixedDepthwise({3: 2, 5: 1}, 1)
    x = torch.zeros(1, 3, 9, 9)
    x[:, :, 4, 4] = 1.0
    reach = [(channel != 0).any(0).sum().item() for channel in module(x)[0]]
    assert reach == [3, 3, 5]


def test_axis_gate_is_the_outer_product_of_two_sigmoids() -> None:
    torch.manual_seed(0)
    gate = AxisGate(4).eval()
    rows, columns = torch.randn(1, 4, 3, 1), torch.randn(1, 4, 1, 5)

    def squeeze(vector: torch.Tensor) -> torch.Tensor:
        hidden = gate.squeeze.weight[:, :, 0, 0] @ vector + gate.squeeze.bias[:, None]  # type: ignore[index]  # a bias
        hidden = hidden / (1 + 1e-5) ** 0.5
        return hidden * (hidden + 3).clamp(0, 6) / 6

    def answer(conv: nn.Conv2d, hidden: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(conv.weight[:, :, 0, 0] @ hidden + conv.bias[:, None])  # type: ignore[index]  # a bias

    down = answer(gate.rows, squeeze(rows[0, :, :, 0]))
    right = answer(gate.columns, squeeze(columns[0, :, 0]))
    expected = down[:, :, None] * right[:, None, :]
    torch.testing.assert_close(gate(rows, columns)[0], expected)


def test_coordinate_attention_reads_means_along_both_axes() -> None:
    torch.manual_seed(0)
    module, x = CoordinateAttention(4).eval(), torch.randn(1, 4, 3, 5)
    expected = x * module.gate(x.sum(3, keepdim=True) / 5, x.sum(2, keepdim=True) / 3)
    torch.testing.assert_close(module(x), expected)


def test_direction_attention_weighs_rows_and_columns_by_learned_kernels() -> None:
    torch.manual_seed(0)
    module, x = DirectionAttention(4, 3).eval(), torch.randn(1, 4, 3, 3)
    row_kernel, column_kernel = module.rows[0].weight, module.columns[0].weight
    scale = (1 + 1e-5) ** -0.5
    rows = (x * row_kernel[:, 0, 0][None, :, None, :]).sum(3, keepdim=True) * scale  # type: ignore[index]  # a weight
    columns = (x * column_kernel[:, 0, :, 0][None, :, :, None]).sum(2, keepdim=True) * scale  # type: ignore[index]  # a weight
    torch.testing.assert_close(module(x), module.gate(rows, columns))


def test_the_strongest_head_weighs_the_map() -> None:
    model = small_model("ddamfn")
    assert isinstance(model, Ddamfn)
    kept: list[torch.Tensor] = []
    model.weighted.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    found = model.forward_features(pictures("ddamfn"))
    first, second = found.heads
    torch.testing.assert_close(kept[0], found.maps_BCHW * torch.where(first > second, first, second))


def test_a_third_head_is_an_option() -> None:
    model = small_model("ddamfn", heads=3)
    assert isinstance(model, Ddamfn)
    assert len(model.forward_features(pictures("ddamfn")).heads) == 3


def test_smaller_pictures_have_smaller_heads() -> None:
    model = Ddamfn(7, image_size=64)
    shapes = output_shapes(model, torch.zeros(1, 3, 64, 64))
    assert (shapes["weighted"], shapes["heads.0.rows"]) == ((1, 512, 4, 4), (1, 512, 4, 1))
    assert shapes["collect"] == (1, 512, 1, 1)
    with pytest.raises(ValueError, match="divisible by 16"):
        Ddamfn(7, image_size=48 + 2)


def test_a_residual_block_adds_its_input() -> None:
    torch.manual_seed(0)
    block, x = MixedBlock(4, 4, {3: 8}, 1).eval(), torch.randn(1, 4, 5, 5)
    nn.init.zeros_(block.project[0].weight)  # type: ignore[arg-type]  # a convolution
    torch.testing.assert_close(block(x), x)


def test_no_head_is_refused() -> None:
    with pytest.raises(ValueError, match="heads is 0"):
        Ddamfn(7, heads=0)
