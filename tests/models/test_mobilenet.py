import itertools

import pytest
import torch
import torch.nn.functional as F

from fercli.core.errors import SettingsError
from fercli.models.build import build_model
from fercli.models.networks.mobilenet import FaceMobileNet, SameConv
from tests.models.shapes import output_shapes
from tests.models.small import pictures, small_model


def test_it_has_as_many_parameters_as_its_layers_add_up_to() -> None:
    widths = (32, 64, 128, 128, 256, 256, *(512,) * 6, 1024, 1024)
    pairs = list(itertools.pairwise(widths))
    blocks = sum(9 * before + 2 * before + before * after + 2 * after for before, after in pairs)
    assert sum(p.numel() for p in FaceMobileNet(7).parameters()) == 27 * 32 + 2 * 32 + blocks + 1025 * 7


def test_the_map_is_halved_five_times_and_rounded_up() -> None:
    shapes = output_shapes(FaceMobileNet(7), torch.zeros(1, 3, 112, 112))
    sides = [shapes["backbone.stem"][-1], *(shapes[f"backbone.blocks.{block}"][-1] for block in range(13))]
    assert sides == [56, 56, 28, 28, 14, 14, 7, 7, 7, 7, 7, 7, 4, 4]
    assert shapes["backbone"] == (1, 1024, 4, 4)


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("is_training", [True, False])
def test_a_depthwise_convolution_of_stride_two_skips_every_second_place(side: int, is_training: bool) -> None:
    layer = SameConv(4, 4, stride=2, groups=4).train(is_training)
    x = torch.randn(2, 4, side, side, requires_grad=True)
    # "SAME" starts at the first pixel of an even side, at the zero before it of an odd one.
    every = F.conv2d(x, layer.conv.weight, padding=1, groups=4)[..., 1 - side % 2 :: 2, 1 - side % 2 :: 2]
    ours = layer(x)
    torch.testing.assert_close(ours, every)
    torch.testing.assert_close(
        torch.autograd.grad(ours.square().sum(), [x, layer.conv.weight]),
        torch.autograd.grad(every.square().sum(), [x, layer.conv.weight]),
    )


def test_the_backbone_is_fed_bgr() -> None:
    model = small_model("fercli-mobilenet")
    images = pictures("fercli-mobilenet")
    blue_first = images[:, [2, 1, 0]]
    with torch.inference_mode():
        torch.testing.assert_close(model(images), model.classify(model.backbone(blue_first).mean((2, 3))))  # type: ignore[operator]  # its own modules


def test_widths_of_another_number_of_blocks_are_refused() -> None:
    with pytest.raises(SettingsError, match="3 widths; it takes 14"):
        build_model("fercli-mobilenet", num_classes=7, widths=(8, 8, 8))
