"""EAC: a ResNet-50 that also gives a map per class, which its objective holds equal to that of the flipped picture.

B pictures, C channels, H W pixels, K classes.
"""

# A module's call has no return type in torch.
# mypy: disable-error-code="no-any-return"

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class EacFeatures(NamedTuple):
    """What the objective needs: logits, the last maps, and a class activation map per class (no gradient to fc)."""

    logits_BK: Tensor
    maps_BCHW: Tensor
    class_maps_BKHW: Tensor


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions with BN, added to a shortcut; the stride sits on the first 1x1.

    Source: He et al., CVPR 2016, figure 5, as in the VGGFace2 weights; torchvision's has the stride on the 3x3.
    """

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = 4 * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Map to map."""
        y = self.relu(self.bn1(self.conv1(x_BCHW)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + self.downsample(x_BCHW))


class ResNet50(nn.Module):
    """ResNet-50 up to its last map, with the module names of torchvision, so that its weights need no renaming.

    The first pool has no padding and rounds up, as the VGGFace2 network has it: 112 pixels become 56 either way.
    """

    def __init__(self, width: int = 64, blocks: tuple[int, int, int, int] = (3, 4, 6, 3)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 0, ceil_mode=True)
        self.layer1 = _stage(width, width, blocks[0], 1)
        self.layer2 = _stage(4 * width, 2 * width, blocks[1], 2)
        self.layer3 = _stage(8 * width, 4 * width, blocks[2], 2)
        self.layer4 = _stage(16 * width, 8 * width, blocks[3], 2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels h w"]:
        """2048x7x7 from 224 pixels."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image_BCHW))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class Eac(nn.Module):
    """Zhang et al., Learn From All: Erasing Attention Consistency, ECCV 2022.

    23,522,375 parameters at 7 classes and 3,898,290,176 multiply-adds. The trick is the objective `eac` (flip
    consistency of `class_maps_BKHW`, weight 5) with random erasing; the network alone is a plain ResNet-50. The
    authors' code fixes 7 classes; here they are an argument.
    """

    def __init__(self, num_classes: int, *, width: int = 64, blocks: tuple[int, int, int, int] = (3, 4, 6, 3)) -> None:
        super().__init__()
        self.backbone = ResNet50(width, blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(32 * width, num_classes)

    def forward_features(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> EacFeatures:
        """Logits and the maps that lead to them; the mean of a class map plus the bias is the logit."""
        maps = self.backbone(image_BCHW)
        class_maps = torch.einsum("bchw,kc->bkhw", maps, self.fc.weight.detach())
        return EacFeatures(self.fc(self.pool(maps).flatten(1)), maps, class_maps)

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """RGB normalised by ImageNet's mean and std to logits."""
        return self.fc(self.pool(self.backbone(image_BCHW)).flatten(1))


def _stage(in_channels: int, width: int, num_blocks: int, stride: int) -> nn.Sequential:
    rest = (Bottleneck(4 * width, width, 1) for _ in range(num_blocks - 1))
    return nn.Sequential(Bottleneck(in_channels, width, stride), *rest)
