"""POSTER++: landmark features attend to image features at three scales; a small transformer joins the results.

B pictures, C channels, H W pixels, N tokens, K classes.
"""

# A module's call has no return type in torch, and Tensor.unflatten no types at all.
# mypy: disable-error-code="no-any-return,no-untyped-call"

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fercli.models.networks.backbones import FrozenLandmarks, Ir50, MobileFaceNet
from fercli.models.networks.layers import (
    FixedResizeRule,
    Mlp,
    StochasticDepth,
    VectorExcitation,
    WindowCrossAttention,
    init_linear,
    resize_image,
)

INPUT_SIZE = 112
# Sides of the three windows, which are the whole maps.
SIDES = (28, 14, 7)


class ScaleFusion(nn.Module):
    """One scale: halve the image map, norm it, let the landmark map ask it, add, MLP, add.

    The shortcut starts after the norm, as in the authors' code. Source: POSTER++, section 3.2, figure 3.
    """

    def __init__(
        self, channels: int, num_heads: int, size: int, drop_path: float, *, layer_scale: float = 1e-5
    ) -> None:
        super().__init__()
        self.halve = nn.Conv2d(channels, channels, 3, 2, 1)
        self.norm = nn.LayerNorm(channels)
        self.attention = WindowCrossAttention(channels, num_heads, size)
        self.attention_scale = nn.Parameter(torch.full((channels,), layer_scale))
        self.mlp = nn.Sequential(nn.LayerNorm(channels), Mlp(channels, 4 * channels))
        self.mlp_scale = nn.Parameter(torch.full((channels,), layer_scale))
        self.drop_path = StochasticDepth(drop_path)

    def forward(self, image_BCHW: Tensor, landmarks_BCHW: Tensor) -> Tensor:
        """A map of the landmark map's shape."""
        size = landmarks_BCHW.shape[-2:]
        x = self.norm(self.halve(image_BCHW).flatten(2).transpose(1, 2))
        query = landmarks_BCHW.flatten(2).transpose(1, 2)
        x = x + self.drop_path(self.attention_scale * self.attention(x, query))
        x = x + self.drop_path(self.mlp_scale * self.mlp(x))
        return x.transpose(1, 2).unflatten(2, size)


class TransformerBlock(nn.Module):
    """Pre-norm self-attention and MLP of ratio 4. Source: Dosovitskiy et al., ICLR 2021, eq. 2-3."""

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(f"{channels} channels cannot be shared by {num_heads} heads")
        self.num_heads = num_heads
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.mlp = nn.Sequential(nn.LayerNorm(channels, eps=1e-6), Mlp(channels, 4 * channels))

    def forward(self, tokens_BNC: Tensor) -> Tensor:
        """Tokens of the same shape."""
        parts = self.qkv(self.norm(tokens_BNC)).chunk(3, dim=-1)
        query, key, value = (x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for x in parts)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        tokens_BNC = tokens_BNC + self.project(mixed)
        return tokens_BNC + self.mlp(tokens_BNC)


class PosterPp(nn.Module):
    """Mao et al., POSTER++: A simpler and stronger facial expression recognition network, arXiv 2301.12149.

    43,723,542 parameters at 6 classes and 8,482,266,176 multiply-adds as thop counts the authors' code, whose module
    holds 14.59 M more that never run (IR-50's output layer, a second patch embedding and others); they are left out.
    thop counts neither the position embedding, class token, relative biases nor layer scales.

    Differences from the authors' code: the picture is shrunk to 112 with antialiasing (`resize="nearest"` drops every
    second pixel as theirs does), and the frozen landmark network is in evaluation mode, so its batch statistics don't
    drift.

    Args:
        num_classes: of the last layer.
        depth, heads, embed: of the transformer that joins the scales.
        freeze_landmarks: keep the landmark network as it is. Pass False when it has no pretrained weights.
        resize: see above.
        ir_blocks, landmark_width, landmark_blocks: of the two backbones, for small machines and tests; the image maps
            have the widths of the landmark maps.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        depth: int = 2,
        heads: int = 8,
        embed: int = 768,
        freeze_landmarks: bool = True,
        resize: FixedResizeRule = "antialias",
        ir_blocks: tuple[int, int, int] = (3, 4, 14),
        landmark_width: float = 1.0,
        landmark_blocks: tuple[int, int, int] = (4, 6, 2),
    ) -> None:
        super().__init__()
        self.resize = resize
        network = MobileFaceNet(landmark_width, landmark_blocks)
        self.landmarks: nn.Module = FrozenLandmarks(network) if freeze_landmarks else network
        small, middle, last = network.widths
        widths = (small, middle, last // 2)
        self.backbone = Ir50(ir_blocks, widths)
        self.last_query = nn.Conv2d(last, widths[2], 3, padding=1)
        self.fusions = nn.ModuleList(
            ScaleFusion(width, num_heads, side, drop_path)
            for width, num_heads, side, drop_path in zip(widths, (2, 4, 8), SIDES, (0.0, 0.125, 0.25), strict=True)
        )
        self.embeds = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(widths[0], embed, 3, 2, 1), nn.Conv2d(embed, embed, 3, 2, 1)),
                nn.Conv2d(widths[1], embed, 3, 2, 1),
                nn.Conv2d(widths[2], embed, 1),
            ]
        )
        self.class_token = nn.Parameter(torch.zeros(1, 1, embed))
        self.position = nn.Parameter(torch.zeros(1, 3 * SIDES[2] ** 2 + 1, embed))
        self.blocks = nn.ModuleList(TransformerBlock(embed, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(embed, eps=1e-6)
        self.excite = VectorExcitation(embed)
        self.head = nn.Linear(embed, num_classes)
        self._init_weights()

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """RGB normalised by ImageNet's mean and std to logits."""
        image = resize_image(image_BCHW, INPUT_SIZE, self.resize)
        faces = self.landmarks(image)
        queries = (faces.quarter, faces.eighth, self.last_query(faces.sixteenth))
        scales = zip(self.fusions, self.embeds, self.backbone(image), queries, strict=True)
        tokens = [embed(fusion(x, query)).flatten(2).transpose(1, 2) for fusion, embed, x, query in scales]
        x = torch.cat([self.class_token.expand(image.shape[0], -1, -1), *tokens], dim=1) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.excite(self.norm(x[:, 0])))

    def _init_weights(self) -> None:
        nn.init.trunc_normal_(self.position, std=0.02)
        nn.init.trunc_normal_(self.class_token, std=0.02)
        for part in (self.fusions, self.blocks, self.excite, self.head):
            init_linear(part)
