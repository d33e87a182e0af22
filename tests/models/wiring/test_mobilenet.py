"""fercli-mobilenet: Howard et al., arXiv 1704.04861, table 1, fed BGR and padded as TensorFlow pads."""

from unittest import mock

from torch import Tensor
from torch.nn import functional as F

from tests.models.wiring.plain import Weights, batch_norm, compare, conv, linear, of_this_batch, pictures, shaken

# Table 1: the depthwise layers with stride 2; the last one's is a misprint, as the map stays 7x7.
HALVING = (1, 3, 5, 11)
WIDTHS = (8, 8, 12, 12, 16, 16, 20, 20, 20, 20, 20, 20, 24, 24)


def reference(weights: Weights, image: Tensor) -> Tensor:
    net = weights.under("backbone")
    x = _same(net, "stem.conv", image[:, [2, 1, 0]], stride=2)
    x = F.relu6(batch_norm(net, "norm", x))
    for number, block in enumerate(net.children("blocks")):
        x = _same(block, "depthwise.conv", x, stride=2 if number in HALVING else 1)
        x = F.relu6(batch_norm(block, "norm1", x))
        x = F.relu6(batch_norm(block, "norm2", conv(block, "pointwise", x)))
    return linear(weights, "classify", x.mean((2, 3)))


def _same(weights: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    """A 3x3 whose result has ceil(side / stride) pixels a side; an odd zero goes to the right and below."""
    side = x.shape[-1]
    total = max((-(-side // stride) - 1) * stride + 3 - side, 0)
    before = total // 2
    return conv(weights, name, F.pad(x, (before, total - before) * 2), stride=stride)


def test_logits_equal_the_reference() -> None:
    compare(shaken("fercli-mobilenet", widths=WIDTHS), pictures("fercli-mobilenet", 84), reference)


def test_training_takes_another_way_to_the_same() -> None:
    """Strided depthwise convolutions are computed otherwise while training."""
    model = shaken("fercli-mobilenet", widths=WIDTHS, dropout=0.0).train()
    # The norms read their batch, not what they remember.
    with mock.patch(f"{__name__}.batch_norm", of_this_batch):
        compare(model, pictures("fercli-mobilenet", 84), reference, unused=lambda key: "running_" in key)
