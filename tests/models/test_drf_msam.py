import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


def gate_of(module: MultiScaleAttention, x: Tensor) -> Tensor:
    gate = module.gate
    scales = module.scales(x)
    answers = torch.sigmoid(torch.einsum("bchw,kc->bkhw", scales, gate.weight[:, :, 0, 0]) + gate.bias[:, None, None])
    return torch.sigmoid(answers.mean((2, 3)))[:, :, None, None]


def test_attention_multiplies_its_input_by_the_gate() -> None:
    torch.manual_seed(0)
    module, x = MultiScaleAttention(4), torch.rand(2, 4, 6, 6)
    torch.testing.assert_close(module(x), x * gate_of(module, x))


def test_attention_weights_lie_between_a_half_and_sigmoid_of_one() -> None:
    torch.manual_seed(0)
    module, x = MultiScaleAttention(4), 20 * torch.randn(2, 4, 6, 6)
    ratio = module(x) / x
    assert ratio.min() >= 0.5
    assert ratio.max() <= torch.sigmoid(torch.tensor(1.0)) + 1e-6


def test_weights_of_earlier_versions_weigh_what_they_learnt_to_weigh() -> None:
    torch.manual_seed(0)
    module, x = MultiScaleAttention(4), torch.rand(2, 4, 6, 6)
    old = {name: value for name, value in module.state_dict().items() if name != "weighs_input"}
    module.load_state_dict(old)
    expected = module.scales(x) * gate_of(module, x)
    torch.testing.assert_close(module(x), expected)
    again = MultiScaleAttention(4)
    again.load_state_dict(module.state_dict())
    torch.testing.assert_close(again(x), expected)
    again.load_state_dict(MultiScaleAttention(4).state_dict() | old)
    torch.testing.assert_close(again(x), x * gate_of(again, x))


def test_a_whole_network_of_an_earlier_version_is_loaded() -> None:
    torch.manual_seed(0)
    network, image = DrfMsam(7, width=8, hidden=16).eval(), torch.rand(1, 1, 48, 48)
    old = {name: value for name, value in network.state_dict().items() if not name.endswith("weighs_input")}
    before = network(image)
    network.load_state_dict(old)
    assert not torch.allclose(network(image), before)
