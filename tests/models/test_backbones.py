import pytest
import torch
from torch import Tensor, nn

from fercli.models.networks.backbones import (
    DepthwiseBlock,
    FrozenLandmarks,
    Ir50,
    IrBlock,
    MobileFaceNet,
    init_convolutions,
)
from tests.models.shapes import output_shapes


def small_ir50() -> Ir50:
    return Ir50((1, 2, 2, 1), (4, 6, 8, 10))


def test_ir50_has_30727360_parameters() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in Ir50().parameters()) == 30_727_360


def test_ir50_halves_the_map_at_every_stage() -> None:
    with torch.device("meta"):
        maps = Ir50()(torch.zeros(1, 3, 112, 112))
    assert [tuple(x.shape) for x in maps] == [(1, 64, 56, 56), (1, 128, 28, 28), (1, 256, 14, 14), (1, 512, 7, 7)]


def test_ir50_stages_have_3_4_14_3_blocks() -> None:
    with torch.device("meta"):
        assert [len(stage) for stage in Ir50().stages] == [3, 4, 14, 3]  # type: ignore[arg-type]  # a Sequential


def test_only_the_first_block_of_a_stage_halves() -> None:
    shapes = output_shapes(small_ir50(), torch.zeros(1, 3, 32, 32))
    assert shapes["stages.1.0"] == (1, 6, 8, 8)
    assert shapes["stages.1.1"] == (1, 6, 8, 8)


def test_the_stride_sits_on_the_second_convolution() -> None:
    shapes = output_shapes(IrBlock(4, 6, 2), torch.zeros(1, 4, 8, 8))
    assert shapes["residual.1"] == (1, 6, 8, 8)
    assert shapes["residual.3"] == (1, 6, 4, 4)


def test_a_block_of_equal_width_adds_every_second_pixel_of_its_input() -> None:
    torch.manual_seed(0)
    block = IrBlock(4, 4, 2).eval()
    nn.init.zeros_(block.residual[3].weight)  # type: ignore[arg-type]  # a convolution
    x = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(block(x), x[:, :, ::2, ::2])


def test_a_block_that_keeps_size_and_width_adds_its_input() -> None:
    torch.manual_seed(0)
    block, x = IrBlock(4, 4, 1).eval(), torch.randn(1, 4, 8, 8)
    nn.init.zeros_(block.residual[3].weight)  # type: ignore[arg-type]  # a convolution
    torch.testing.assert_close(block(x), x)


def test_a_widening_block_adds_a_strided_projection() -> None:
    torch.manual_seed(0)
    block = IrBlock(4, 6, 2).eval()
    nn.init.zeros_(block.residual[3].weight)  # type: ignore[arg-type]  # a convolution
    x = torch.randn(1, 4, 8, 8)
    weight = block.shortcut[0].weight[:, :, 0, 0]  # type: ignore[index]  # a Sequential
    scale = (1 + 1e-5) ** -0.5
    torch.testing.assert_close(block(x), torch.einsum("oc,bchw->bohw", weight, x[:, :, ::2, ::2]) * scale)


def test_early_maps_of_ir50_do_not_depend_on_late_stages() -> None:
    model, x = small_ir50().eval(), torch.rand(1, 3, 32, 32)
    before = model(x)
    with torch.no_grad():
        for parameter in model.stages[2].parameters():
            parameter.add_(0.5)
    after = model(x)
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[2], after[2])
    assert not torch.equal(before[3], after[3])


def test_mobilefacenet_gives_three_maps_and_68_points() -> None:
    with torch.device("meta"):
        maps = MobileFaceNet().eval()(torch.zeros(1, 3, 112, 112))
    assert [tuple(x.shape) for x in maps] == [(1, 64, 28, 28), (1, 128, 14, 14), (1, 512, 7, 7), (1, 136)]


def test_mobilefacenet_adds_in_its_residual_blocks_only() -> None:
    model = MobileFaceNet(0.125)
    flags = [[block.is_residual for block in stage] for stage in (model.conv3, model.conv4, model.conv5)]  # type: ignore[union-attr]  # depthwise blocks
    assert flags == [[False] + [True] * 4, [False] + [True] * 6, [False] + [True] * 2]


@pytest.mark.parametrize("is_residual", [True, False])
def test_a_depthwise_block_adds_its_input_when_residual(is_residual: bool) -> None:
    torch.manual_seed(0)
    block, x = DepthwiseBlock(4, 4, 8, 1, is_residual=is_residual).eval(), torch.randn(1, 4, 6, 6)
    nn.init.zeros_(block.project[0].weight)  # type: ignore[arg-type]  # a convolution
    torch.testing.assert_close(block(x), x if is_residual else torch.zeros_like(x))


def test_frozen_landmarks_stay_as_they_are_in_training() -> None:
    torch.manual_seed(0)
    frozen = FrozenLandmarks(MobileFaceNet(0.125)).train()
    before = {key: value.clone() for key, value in frozen.state_dict().items()}
    maps = frozen(torch.rand(4, 3, 112, 112))
    assert not any(x.requires_grad for x in maps)
    assert all(torch.equal(value, before[key]) for key, value in frozen.state_dict().items())


def test_ir50_starts_with_outputs_of_the_size_of_its_inputs() -> None:
    torch.manual_seed(0)
    model = Ir50((1, 1, 1, 1), (16, 16, 16, 16)).train()
    maps: list[Tensor] = model(torch.randn(8, 3, 32, 32))
    assert all(0.1 < float(x.detach().std()) < 10 for x in maps)


@pytest.mark.parametrize("groups", [1, 64], ids=["dense", "depthwise"])
def test_convolutions_start_by_keeping_the_spread(groups: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 64, 3, padding=1, groups=groups, bias=False)
    init_convolutions(conv)
    # Behind a PReLU of slope 1/4 half the variance, times 1 + 1/16, is left; the convolution makes up for it.
    expected = (2 / (1 + 1 / 16)) ** 0.5
    assert float(conv(torch.randn(4, 64, 32, 32)).detach().std()) == pytest.approx(expected, rel=0.1)
