"""A stand-in for the authors' checkout of POSTER++: their names of layers, otherwise nothing of theirs."""

import torch
from torch import Tensor, nn

from .backbones import Backbone, Excitation, Head, MobileFaceNet, Perceptron, asked


class Window(nn.Module):
    """Theirs cuts windows, of which the whole map is one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)


class WindowAttention(nn.Module):
    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads, self.side = heads, side
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * side - 1) ** 2, heads))
        self.qkv, self.proj = nn.Linear(width, 2 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, query: Tensor) -> Tensor:
        rows, columns = torch.meshgrid(*2 * (torch.arange(self.side),), indexing="ij")
        down, right = (at.flatten()[:, None] - at.flatten() + self.side - 1 for at in (rows, columns))
        bias = self.relative_position_bias_table[down * (2 * self.side - 1) + right].permute(2, 0, 1)
        return self.proj(asked(query, *self.qkv(x).tensor_split(2, -1), heads=self.heads, bias=bias))


class FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma1, self.gamma2 = (nn.Parameter(torch.full((width,), 1e-5)) for _ in range(2))
        self.norm, self.mlp = nn.LayerNorm(width), Perceptron(width, 4 * width)

    def forward(self, shortcut: Tensor, x: Tensor) -> Tensor:
        x = shortcut + self.gamma1 * x
        return x + self.gamma2 * self.mlp(self.norm(x))


class SelfAttention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(asked(*self.qkv(x).tensor_split(3, -1), heads=8))


class VitBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn, self.mlp = SelfAttention(width), Perceptron(width, 4 * width)
        self.conv = nn.Conv2d(4, 4, 1)  # never runs

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    """With layers that never run, as theirs has."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.cls_token, self.pos_embed = (nn.Parameter(torch.zeros(1, num, width)) for num in (1, 148))
        self.patch_embed, self.eca_block, self.CON1 = (nn.Conv2d(4, 4, 1) for _ in range(3))
        self.IRLinear1, self.IRLinear2 = nn.Linear(4, 4), nn.Linear(4, 4)
        self.blocks = nn.Sequential(*(VitBlock(width) for _ in range(2)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.se_block, self.head = Excitation(width), Head(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.head(self.se_block(self.norm(self.blocks(x))[:, 0]))


class Patch(nn.Module):
    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(before, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x)


class pyramid_trans_expr2(nn.Module):  # noqa: N801 # their name
    """The last map of the landmarks is twice as wide as that of the image."""

    def __init__(self, img_size: int, num_classes: int, **narrow: object) -> None:
        super().__init__()
        points: tuple[int, int, int, int] = narrow["points"]  # type: ignore[assignment]
        blocks: list[int] = narrow["blocks"]  # type: ignore[assignment]
        embed: int = narrow["embed"]  # type: ignore[assignment]
        widths = [points[0], points[1], points[3] // 2]
        self.face_landback = MobileFaceNet(points, (1, 1, 1))
        self.ir_back = Backbone(blocks, widths, is_numbered=True)
        self.last_face_conv = nn.Conv2d(points[3], widths[2], 3, padding=1)
        for number, (width, heads, side) in enumerate(zip(widths, (2, 4, 8), (28, 14, 7), strict=True), 1):
            setattr(self, f"conv{number}", nn.Conv2d(width, width, 3, 2, 1))
            setattr(self, f"window{number}", Window(width))
            setattr(self, f"attn{number}", WindowAttention(width, heads, side))
            setattr(self, f"ffn{number}", FeedForward(width))
        self.embed_q = nn.Sequential(nn.Conv2d(widths[0], embed, 3, 2, 1), nn.Conv2d(embed, embed, 3, 2, 1))
        self.embed_k = nn.Sequential(nn.Conv2d(widths[1], embed, 3, 2, 1))
        self.embed_v = Patch(widths[2], embed)
        self.VIT = Vit(embed, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        small = x[:, :, ::2, ::2]
        first, second, last = self.face_landback(small)
        queries = first, second, self.last_face_conv(last)
        tokens = []
        embeds = self.embed_q, self.embed_k, self.embed_v
        for number, (image, query) in enumerate(zip(self.ir_back(small), queries, strict=True), 1):
            conv, window, attention, feed = (
                getattr(self, f"{name}{number}") for name in ("conv", "window", "attn", "ffn")
            )
            shortcut = window.norm(conv(image).flatten(2).transpose(1, 2))
            out = feed(shortcut, attention(shortcut, query.flatten(2).transpose(1, 2)))
            out = out.transpose(1, 2).reshape(query.shape)
            tokens.append(embeds[number - 1](out).flatten(2).transpose(1, 2))
        return self.VIT(torch.cat(tokens, 1))
