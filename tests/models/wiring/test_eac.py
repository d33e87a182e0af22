"""EAC's network: ResNet-50 as VGGFace2's weights have it. Zhang et al., ECCV 2022, and the authors' repository."""

from torch import Tensor
from torch.nn import functional as F

from tests.models.wiring.plain import Weights, batch_norm, compare, conv, linear, pictures, shaken


def reference(weights: Weights, image: Tensor) -> Tensor:
    return linear(weights, "fc", features(weights, image).mean((2, 3)))


def features(weights: Weights, image: Tensor) -> Tensor:
    """The last map: 2048 channels, 7x7 from a picture of 224."""
    net = weights.under("backbone")
    x = F.relu(batch_norm(net, "bn1", conv(net, "conv1", image, stride=2, padding=3)))
    x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    for stage in (1, 2, 3, 4):
        for number, block in enumerate(net.children(f"layer{stage}")):
            x = _bottleneck(block, x, stride=2 if stage > 1 and number == 0 else 1)
    return x


def _bottleneck(block: Weights, x: Tensor, stride: int) -> Tensor:
    """The stride is on the first 1x1, not on the 3x3."""
    shortcut = x
    if "downsample.0.weight" in block:
        shortcut = batch_norm(block, "downsample.1", conv(block, "downsample.0", x, stride=stride))
    y = F.relu(batch_norm(block, "bn1", conv(block, "conv1", x, stride=stride)))
    y = F.relu(batch_norm(block, "bn2", conv(block, "conv2", y, padding=1)))
    y = batch_norm(block, "bn3", conv(block, "conv3", y))
    return F.relu(y + shortcut)


def test_logits_equal_the_reference() -> None:
    compare(shaken("eac", width=8, blocks=(2, 1, 2, 1)), pictures("eac", 64), reference)
