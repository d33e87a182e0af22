"""A stand-in for the authors' checkout of DDAMFN: their names of layers, otherwise nothing of theirs."""

from networks.MixedFeatureNet import Gates, MixedFeatureNet  # type: ignore[import-not-found]  # as in the checkout
from torch import Tensor, nn

WIDTH = 64


class Whole(nn.Module):
    """A depthwise convolution as large as what it sees, and a norm."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(WIDTH, WIDTH, (height, width), groups=WIDTH, bias=False)
        self.bn = nn.BatchNorm2d(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class Directions(Gates):
    def __init__(self, side: int) -> None:
        super().__init__(WIDTH)
        self.Linear_h, self.Linear_w = Whole(1, side), Whole(side, 1)
        # Never runs.
        self.Linear = Whole(side, side)

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(self.Linear_h(x), self.Linear_w(x))


class Head(nn.Module):
    def __init__(self, side: int) -> None:
        super().__init__()
        self.CoordAtt = Directions(side)

    def forward(self, x: Tensor) -> Tensor:
        return self.CoordAtt(x)


class DDAMNet(nn.Module):
    """`side` is 7 in theirs."""

    def __init__(self, num_class: int, num_head: int, pretrained: bool, side: int) -> None:
        super().__init__()
        assert not pretrained
        self.features = nn.Sequential(*MixedFeatureNet().children())
        self.cat_head0, self.cat_head1 = Head(side), Head(side)
        assert num_head == 2
        self.Linear = Whole(side, side)
        self.fc = nn.Linear(WIDTH, num_class)
        # Never runs.
        self.bn = nn.BatchNorm1d(num_class)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.features(x)
        weighted = x * self.cat_head0(x).maximum(self.cat_head1(x))
        return self.fc(self.Linear(weighted).flatten(1)), x
