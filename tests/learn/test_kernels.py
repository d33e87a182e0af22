import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fercli.learn.kernels import ChannelPReLU, DepthwiseConv2d, ease_kernels
from fercli.learn.trainer import Training, fit
from tests.learn.drawn import CLASSES, FORM, MACHINE, faces, plan
from tests.models.small import pictures, small_model


def learnt(layer: nn.Module, x: Tensor, *, is_half: bool) -> list[Tensor]:
    """Output and gradients, of the input first."""
    x = x.detach().clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
        y = layer(x * 1.0)
    y.float().square().sum().backward()
    assert x.grad is not None
    gradients = [p.grad.float() for p in layer.parameters() if p.grad is not None]
    layer.zero_grad()
    return [y.detach().float(), x.grad.float(), *gradients]


def near(found: list[Tensor], expected: list[Tensor], tolerance: float) -> bool:
    """Whether no two differ by more than a share of the largest number."""
    pairs = list(zip(found, expected, strict=True))
    return all((one - other).abs().max() <= tolerance * other.abs().max() for one, other in pairs)


def depthwise(kernel: int, stride: int) -> tuple[nn.Conv2d, DepthwiseConv2d]:
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 8, kernel, stride, kernel // 2, groups=8)
    return plain, DepthwiseConv2d.around(plain)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 1), (7, 2)])
def test_depthwise_convolution_is_that_of_torch_in_either_precision(kernel: int, stride: int) -> None:
    plain, eased = depthwise(kernel, stride)
    x = torch.randn(2, 8, 12, 12)
    expected = learnt(plain, x, is_half=False)
    assert near(learnt(eased, x, is_half=False), expected, 0)
    assert near(learnt(eased, x.bfloat16(), is_half=True), expected, 0.03)
    assert near(learnt(plain, x.bfloat16(), is_half=True), expected, 0.03)


def test_depthwise_convolution_learns_in_float32_and_goes_on_in_bfloat16() -> None:
    plain, eased = depthwise(7, 2)
    x = torch.randn(2, 8, 12, 12).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = eased(x)
        with torch.no_grad():
            assert torch.equal(eased(x), plain(x))
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, plain(x.float()).bfloat16())


def test_prelu_is_that_of_torch_in_either_precision() -> None:
    torch.manual_seed(0)
    plain = nn.PReLU(8)
    with torch.no_grad():
        plain.weight.copy_(torch.linspace(-0.5, 1.5, 8))
    eased = ChannelPReLU.around(plain)
    x = torch.randn(2, 8, 6, 6).bfloat16()
    expected = learnt(plain, x.float(), is_half=False)
    assert near(learnt(eased, x.float(), is_half=False), expected, 0)
    assert near(learnt(eased, x, is_half=True), expected, 0.02)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(eased(x), plain(x))


def test_only_slow_layers_are_replaced() -> None:
    slow = [nn.Conv2d(4, 4, 3, 2, groups=4), nn.Conv2d(4, 8, 5, groups=4), nn.PReLU(4)]
    fast = [nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 5, 2), nn.Conv2d(4, 4, 5, groups=2), nn.PReLU(), nn.ReLU()]
    model = nn.ModuleList([*slow, *fast])
    assert ease_kernels(model) == 3
    assert [type(layer) for layer in model[:3]] == [DepthwiseConv2d, DepthwiseConv2d, ChannelPReLU]
    assert list(model[3:]) == fast
    assert ease_kernels(model) == 0


@pytest.mark.parametrize("name", ["ddamfn", "sfer-mdfae", "emonext-base", "fercli-mobilenet"])
def test_whole_network_keeps_its_weights_and_what_it_says(name: str) -> None:
    model = small_model(name)
    before, image = copy.deepcopy(model), pictures(name)
    assert ease_kernels(model) > 0
    assert list(model.state_dict()) == list(before.state_dict())
    assert torch.equal(model(image), before(image))
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert torch.equal(model(image), before(image))


@pytest.mark.parametrize(("precision", "is_eased"), [("bf16", True), ("fp32", False)])
def test_training_in_bfloat16_takes_the_eased_layers(tmp_path: Path, precision: str, *, is_eased: bool) -> None:
    model = nn.Sequential(nn.Conv2d(1, 8, 5, 4), nn.BatchNorm2d(8), nn.PReLU(8), nn.Flatten(), nn.LazyLinear(2))
    model(torch.zeros(2, 1, FORM.side, FORM.side))
    machine = replace(MACHINE, precision=precision)  # type: ignore[arg-type]  # one of its two words
    training = Training(
        faces(16), None, plan(epochs=1), form=FORM, machine=machine, seed=0,
        folder=tmp_path, meta={"classes": list(CLASSES)},
    )  # fmt: skip
    assert fit(model, training).status == "finished"
    assert (type(model[2]) is ChannelPReLU) == is_eased
