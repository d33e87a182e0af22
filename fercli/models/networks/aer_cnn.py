"""AER-CNN: a very small grey-scale network whose maps gate themselves.

B pictures, C channels, H W pixels, K classes.
"""

# A module's call has no return type in torch.
# mypy: disable-error-code="no-any-return"

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fercli.models.networks.layers import init_like_keras


class PixelGate(nn.Module):
    """Multiply a map by the sigmoid of a 1x1 convolution of itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, channels, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """A map of the same shape."""
        return x_BCHW * torch.sigmoid(self.score(x_BCHW))


class AerCnn(nn.Module):
    """First network of github.com/Mersen130/Facial-Expression-Recognition-CNN, for 48x48 grey pictures.

    24,487 parameters at 7 classes, 0.0125 G multiply-adds. Any input of at least 4 pixels works: the head sees a
    global mean.
    """

    def __init__(self, num_classes: int, *, width: int = 32) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, padding=1)
        self.gate1 = PixelGate(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.gate2 = PixelGate(2 * width)
        self.pool = nn.MaxPool2d(2)
        self.classify = nn.Linear(2 * width, num_classes)
        init_like_keras(self)

    def forward(self, image_BCHW: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch classes"]:
        """Pixels in [0, 1] to logits."""
        x = self.gate1(self.pool(F.relu(self.conv1(image_BCHW), inplace=True)))
        x = self.gate2(self.pool(F.relu(self.conv2(x), inplace=True)))
        return self.classify(x.mean((2, 3)))
