"""A stand-in for the authors' checkout of POSTER: their names of layers, otherwise nothing of theirs."""

import torch
from torch import Tensor, nn

from .backbones import Backbone, Excitation, Head, MobileFaceNet, Perceptron, asked


class Cross(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.kv, self.proj = nn.Linear(width, 2 * width), nn.Linear(width, width)

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        return self.proj(asked(other, *self.kv(own).tensor_split(2, -1), heads=8))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3, self.norm4 = (nn.LayerNorm(width, eps=1e-6) for _ in range(4))
        self.attn_img, self.attn_lm = Cross(width), Cross(width)
        self.mlp1, self.mlp2 = Perceptron(width, 2 * width), Perceptron(width, 2 * width)
        self.conv = nn.Conv1d(100, 100, 1)

    def forward(self, x: Tensor) -> Tensor:
        image, points = x.tensor_split(2, 1)
        image = image + self.attn_img(*self.norm1(x).tensor_split(2, 1))
        image = image + self.mlp1(self.norm2(image))
        one, other = self.norm3(x).tensor_split(2, 1)
        points = points + self.attn_lm(other, one)
        points = points + self.mlp2(self.norm4(points))
        return self.conv(torch.cat([image, points], 1))


class Pyramid(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.block_l, self.block_m, self.block_s = Block(width), Block(width // 2), Block(width // 4)
        self.upsample_m, self.upsample_s = (nn.ConvTranspose1d(100, 100, 2, 2) for _ in range(2))

    def forward(self, large: Tensor, middle: Tensor, small: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        small = self.block_s(small)
        middle = self.block_m(middle) + self.upsample_s(small)
        return self.block_l(large) + self.upsample_m(middle), middle, small


class Fuse(nn.Module):
    """The class token is theirs to have and nobody's to read."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.cls_token, self.pos_embed = (nn.Parameter(torch.zeros(1, num, width)) for num in (1, 50))
        self.downsample_m, self.downsample_s = nn.Conv1d(100, 100, 2, 2), nn.Conv1d(100, 100, 4, 4)
        self.blocks = nn.ModuleList(Pyramid(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, image: Tensor, points: Tensor) -> Tensor:
        x = torch.cat([led(image) + self.pos_embed, led(points)], 1)
        levels = x, self.downsample_m(x), self.downsample_s(x)
        for block in self.blocks:
            levels = block(*levels)
        return self.norm(levels[0])[:, 0]


def led(x: Tensor) -> Tensor:
    return torch.cat([x.mean(1, keepdim=True), x], 1)


class pyramid_trans_expr(nn.Module):  # noqa: N801 # their name
    """`type` tells the depth in theirs; `depth` and the widths here."""

    def __init__(self, img_size: int, num_classes: int, type: str, **narrow: object) -> None:  # noqa: A002
        super().__init__()
        widths: list[int] = narrow["widths"]  # type: ignore[assignment]
        blocks: list[int] = narrow["blocks"]  # type: ignore[assignment]
        points: tuple[int, int, int, int] = narrow["points"]  # type: ignore[assignment]
        self.face_landback = MobileFaceNet(points, (1, 1, 1))
        self.ir_back = Backbone(blocks, widths, is_numbered=False)
        self.ir_layer = nn.Linear(4 * widths[-1], points[-1])
        self.pyramid_fuse = Fuse(points[-1], 1)
        self.se_block, self.head = Excitation(points[-1]), Head(points[-1], num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        small = x[:, :, ::2, ::2]
        last = self.face_landback(small)[-1]
        image = self.ir_layer(self.ir_back(small)[-1].reshape(len(x), 49, -1))
        features = self.se_block(self.pyramid_fuse(image, last.flatten(2).transpose(1, 2)))
        return self.head(features), features


def crossed(num_classes: int = 7) -> nn.Module:
    """The same layers, but the landmarks ask themselves: what the names cannot tell."""
    model = pyramid_trans_expr(224, num_classes, "large", widths=[8, 8, 16], blocks=[1, 2, 1], points=(8, 16, 32, 64))
    for pyramid in model.pyramid_fuse.blocks:
        for block in (pyramid.block_l, pyramid.block_m, pyramid.block_s):
            block.attn_lm.forward = lambda own, other, cross=block.attn_lm: Cross.forward(cross, own, own)
    return model
