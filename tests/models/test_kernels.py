import pytest
import torch
from torch import Tensor, nn

from fercli.models.kernels import ChannelPReLU, DepthwiseConv2d


def learnt(layer: nn.Module, x: Tensor, *, is_half: bool) -> list[Tensor]:
    """Output and gradients, of the input first."""
    x = x.detach().clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
        y = layer(x * 1.0)
    y.float().square().sum().backward()
    layer_gradients = [p.grad for p in layer.parameters() if p.grad is not None]
    assert x.grad is not None
    found = [y.detach().float(), x.grad.float(), *(gradient.float() for gradient in layer_gradients)]
    layer.zero_grad()
    return found


def near(found: list[Tensor], expected: list[Tensor], tolerance: float) -> bool:
    """Whether no two differ by more than a share of the largest number."""
    pairs = list(zip(found, expected, strict=True))
    return all((one - other).abs().max() <= tolerance * other.abs().max() for one, other in pairs)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (7, 2)])
def test_depthwise_convolution_is_that_of_torch_in_either_precision(kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    layer = DepthwiseConv2d(8, kernel, stride)
    plain = nn.Conv2d(8, 8, kernel, stride, kernel // 2, groups=8, bias=False)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 8, 12, 12)
    expected = learnt(plain, x, is_half=False)
    assert near(learnt(layer, x, is_half=False), expected, 1e-6)
    x16 = x.bfloat16()
    in_half = learnt(layer, x16, is_half=True)
    assert near(in_half, expected, 0.03)
    # No worse than torch's own, and the precision that follows is the same.
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x16).dtype == plain(x16).dtype == torch.bfloat16


def test_slow_kernels_learn_in_float32() -> None:
    torch.manual_seed(0)
    layer, x = DepthwiseConv2d(8, 7, 2), torch.randn(2, 8, 12, 12).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        rounded_once = layer(x)
    assert torch.equal(rounded_once, layer(x.float()).bfloat16())


def test_prelu_is_that_of_torch_in_either_precision() -> None:
    torch.manual_seed(0)
    layer, plain = ChannelPReLU(8), nn.PReLU(8)
    with torch.no_grad():
        plain.weight.copy_(layer.weight.copy_(torch.linspace(-0.5, 1.5, 8)))
    x = torch.randn(2, 8, 6, 6).bfloat16()
    expected = learnt(plain, x.float(), is_half=False)
    assert near(learnt(layer, x.float(), is_half=False), expected, 0)
    assert near(learnt(layer, x, is_half=True), expected, 0.02)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        evaluated = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x), evaluated)


@pytest.mark.parametrize("layer", [DepthwiseConv2d(4, 5), ChannelPReLU(4)])
def test_weights_have_torchs_names(layer: nn.Module) -> None:
    assert list(layer.state_dict()) == ["weight"]
