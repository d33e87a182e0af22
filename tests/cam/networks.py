"""Small networks whose maps can be told by hand."""

import torch
from torch import Tensor, nn


class TwoCorners(nn.Module):
    """Class 0 is fed by the brightness of the red channel, class 1 by that of the green one."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = nn.Conv2d(3, 2, kernel_size=1, bias=False)
        self.bend = nn.ReLU(inplace=True)
        self.unused = nn.Conv2d(3, 2, kernel_size=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(2, 2, bias=False)
        self.colours.weight.data = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).reshape(2, 3, 1, 1)
        self.head.weight.data = torch.eye(2)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        self.unused(image_BCHW)
        return self.head(self.pool(self.bend(self.colours(image_BCHW))).flatten(1))


class Tokens(nn.Module):
    """The same, with patches of 2x2 pixels as tokens behind a class token."""

    def __init__(self, *, class_token: bool) -> None:
        super().__init__()
        self.colours = TwoCorners().colours
        self.patch = nn.AvgPool2d(2)
        self.mixer = nn.Identity()
        self.class_token = class_token

    def forward(self, image_BCHW: Tensor) -> Tensor:
        tokens_BTD = self.patch(self.colours(image_BCHW)).flatten(2).transpose(1, 2)
        if self.class_token:
            tokens_BTD = torch.cat([torch.zeros_like(tokens_BTD[:, :1]), tokens_BTD], dim=1)
        return self.mixer(tokens_BTD).mean(dim=1)


def corner_images() -> Tensor:
    """Two 8x8 images: red upper left, green lower right quarter."""
    image_BCHW = torch.zeros(2, 3, 8, 8)
    image_BCHW[:, 0, :4, :4] = 1.0
    image_BCHW[:, 1, 4:, 4:] = 1.0
    return image_BCHW
