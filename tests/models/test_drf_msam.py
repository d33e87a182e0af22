import torch
import torch.nn.functional as F
from torch import nn

from fercli.models.networks.drf_msam import DrfMsam, MultiBranch, MultiScaleAttention
from tests.models.shapes import output_shapes


def test_maps_have_the_sizes_of_the_notebook() -> None:
    shapes = output_shapes(DrfMsam(7), torch.zeros(1, 1, 48, 48))
    assert shapes["receptive_fields"] == (1, 32, 48, 48)
    assert shapes["attention1"] == (1, 32, 24, 24)
    assert shapes["attention2"] == (1, 32, 12, 12)
    assert shapes["dense"] == (1, 512)
    assert shapes["classify"] == (1, 7)


def test_a_branch_sum_is_the_sum_of_rectified_convolutions() -> None:
    torch.manual_seed(0)
    module, x = MultiBranch(2, 4, (1, 3)), torch.randn(2, 2, 6, 6)
    one, three = module.branches
    assert isinstance(one, nn.Conv2d)
    assert isinstance(three, nn.Conv2d)
    expected = F.conv2d(x, one.weight, one.bias).clamp(min=0)
    expected += F.conv2d(x, three.weight, three.bias, padding=1).clamp(min=0)
    torch.testing.assert_close(module(x), expected)


def test_attention_weighs_whole_channels() -> None:
    torch.manual_seed(0)
    module, x = MultiScaleAttention(4), torch.rand(2, 4, 6, 6)
    features = module.scales(x)
    ratio = module(x) / features
    spread = torch.where(features > 1e-3, ratio, torch.nan)
    for channel in spread.flatten(2).flatten(0, 1):
        seen = channel[~channel.isnan()]
        torch.testing.assert_close(seen, seen[:1].expand_as(seen))


def test_attention_weights_lie_between_a_half_and_sigmoid_of_one() -> None:
    torch.manual_seed(0)
    module, x = MultiScaleAttention(4), 20 * torch.randn(2, 4, 6, 6)
    features = module.scales(x)
    ratio = (module(x) / features)[features > 1e-3]
    assert ratio.min() >= 0.5
    assert ratio.max() <= torch.sigmoid(torch.tensor(1.0)) + 1e-6
