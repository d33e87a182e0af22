"""POSTER: image and landmark features attend to each other at three widths.

B pictures, C channels, H W pixels, N tokens, K classes.
"""

# A module's call has no return type in torch, and Tensor.unflatten no types at all.
# mypy: disable-error-code="no-any-return,no-untyped-call"

from typing import Literal

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
    init_linear,
    resize_image,
)

TokenOrder = Literal["memory", "spatial"]
INPUT_SIZE = 112
SIDE = 7
NUM_PATCHES = SIDE * SIDE


class StreamAttention(nn.Module):
    """Attention whose keys and values are one stream's tokens and whose queries are the other's, unprojected."""

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.key_value = nn.Linear(channels, 2 * channels)
        self.project = nn.Linear(channels, channels)

    def forward(self, own_BNC: Tensor, other_BNC: Tensor) -> Tensor:
        """As many tokens as `other_BNC` has."""
        key, value = self.key_value(own_BNC).chunk(2, dim=-1)
        query, key, value = (x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for x in (other_BNC, key, value))
        return self.project(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class CrossFusion(nn.Module):
    """One block at one width: each stream asks the other and passes an MLP; a 1x1 convolution then mixes all tokens.

    The first half of the tokens is the image stream, the second the landmark stream. Both attentions see the tokens
    as they enter the block, each through its own norm. Source: POSTER, section 3.2, figure 3.
    """

    def __init__(self, channels: int, num_tokens: int, num_heads: int, *, mlp_ratio: float, drop_path: float) -> None:
        super().__init__()
        hidden = int(channels * mlp_ratio)
        self.image_norm = nn.LayerNorm(channels, eps=1e-6)
        self.image_attention = StreamAttention(channels, num_heads)
        self.image_mlp = nn.Sequential(nn.LayerNorm(channels, eps=1e-6), Mlp(channels, hidden))
        self.landmark_norm = nn.LayerNorm(channels, eps=1e-6)
        self.landmark_attention = StreamAttention(channels, num_heads)
        self.landmark_mlp = nn.Sequential(nn.LayerNorm(channels, eps=1e-6), Mlp(channels, hidden))
        self.mix = nn.Conv1d(num_tokens, num_tokens, 1)
        self.drop_path = StochasticDepth(drop_path)

    def forward(self, tokens_BNC: Tensor) -> Tensor:
        """Tokens of the same shape."""
        image, landmarks = tokens_BNC.chunk(2, dim=1)
        image = image + self.drop_path(self.image_attention(*self.image_norm(tokens_BNC).chunk(2, dim=1)))
        image = image + self.drop_path(self.image_mlp(image))
        normed_image, normed_landmarks = self.landmark_norm(tokens_BNC).chunk(2, dim=1)
        landmarks = landmarks + self.drop_path(self.landmark_attention(normed_landmarks, normed_image))
        landmarks = landmarks + self.drop_path(self.landmark_mlp(landmarks))
        return self.mix(torch.cat([image, landmarks], dim=1))


class PyramidBlock(nn.Module):
    """Three cross-fusions at full, half and quarter width; narrow tokens are widened and added, bottom to top."""

    def __init__(self, channels: int, num_tokens: int, num_heads: int, *, mlp_ratio: float, drop_path: float) -> None:
        super().__init__()
        self.fusions = nn.ModuleList(
            CrossFusion(channels // factor, num_tokens, num_heads, mlp_ratio=mlp_ratio, drop_path=drop_path)
            for factor in (1, 2, 4)
        )
        self.widen_half = nn.ConvTranspose1d(num_tokens, num_tokens, 2, 2)
        self.widen_quarter = nn.ConvTranspose1d(num_tokens, num_tokens, 2, 2)

    def forward(self, pyramid: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens of the same three shapes."""
        full, half, quarter = (fusion(x) for fusion, x in zip(self.fusions, pyramid, strict=True))
        half = half + self.widen_quarter(quarter)
        return full + self.widen_half(half), half, quarter


class Poster(nn.Module):
    """Zheng, Mendieta and Chen, POSTER: a Pyramid Cross-Fusion Transformer Network, ICCV Workshops 2023 ("large").

    58,976,158 parameters at 6 classes and 7,895,148,064 multiply-adds as thop counts the authors' code. Theirs holds
    71.850 M: 12.85 M are an output layer of IR-50 that never runs and is left out here, with an unused class token.

    Differences from the authors' code:
        - the picture is shrunk to 112 with antialiasing; `resize="nearest"` drops every second pixel as theirs does.
        - the frozen landmark network is in evaluation mode, so its batch statistics don't drift.
        - `tokens="memory"` cuts IR-50's 256x14x14 map into 49 tokens by memory order, as theirs does: a token is then
          five channels and a bit, not a place. "spatial" gives the 7x7 patches that the paper's text describes.

    Args:
        num_classes: of the last layer.
        depth: pyramid blocks; 4, 6 and 8 are the authors' small, base and large.
        heads, mlp_ratio, drop_path: of the cross-fusions; the last block has the full drop path rate.
        freeze_landmarks: keep the landmark network as it is. Pass False when it has no pretrained weights.
        tokens, resize: see above.
        ir_blocks, ir_widths, landmark_width, landmark_blocks: of the two backbones, for small machines and tests.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        depth: int = 8,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        drop_path: float = 0.1,
        freeze_landmarks: bool = True,
        tokens: TokenOrder = "memory",
        resize: FixedResizeRule = "antialias",
        ir_blocks: tuple[int, int, int] = (3, 4, 14),
        ir_widths: tuple[int, int, int] = (64, 128, 256),
        landmark_width: float = 1.0,
        landmark_blocks: tuple[int, int, int] = (4, 6, 2),
    ) -> None:
        super().__init__()
        self.tokens, self.resize = tokens, resize
        self.backbone = Ir50(ir_blocks, ir_widths)
        network = MobileFaceNet(landmark_width, landmark_blocks)
        self.landmarks: nn.Module = FrozenLandmarks(network) if freeze_landmarks else network
        channels = network.widths[-1]
        if channels % (4 * heads):
            raise ValueError(f"heads is {heads}; a quarter of {channels} channels must be divisible by it")
        self.embed = nn.Linear(4 * ir_widths[-1], channels)
        self.position = nn.Parameter(torch.zeros(1, NUM_PATCHES + 1, channels))
        num_tokens = 2 * (NUM_PATCHES + 1)
        self.narrow_half = nn.Conv1d(num_tokens, num_tokens, 2, 2)
        self.narrow_quarter = nn.Conv1d(num_tokens, num_tokens, 4, 4)
        rates = torch.linspace(0, drop_path, depth, device="cpu").tolist()
        self.blocks = nn.ModuleList(
            PyramidBlock(channels, num_tokens, heads, mlp_ratio=mlp_ratio, drop_path=rate) for rate in rates
        )
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.excite = VectorExcitation(channels)
        self.head = nn.Linear(channels, num_classes)
        for part in (self.embed, self.blocks, self.excite, self.head):
            init_linear(part)

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """RGB normalised by ImageNet's mean and std to logits."""
        small = resize_image(image_BCHW, INPUT_SIZE, self.resize)
        image = with_mean_token(self.embed(self._cut(self.backbone(small)[-1]))) + self.position
        landmarks = with_mean_token(self.landmarks(small).sixteenth.flatten(2).transpose(1, 2))
        tokens = torch.cat([image, landmarks], dim=1)
        pyramid = (tokens, self.narrow_half(tokens), self.narrow_quarter(tokens))
        for block in self.blocks:
            pyramid = block(pyramid)
        return self.head(self.excite(self.norm(pyramid[0][:, 0])))

    def _cut(self, map_BCHW: Tensor) -> Tensor:
        """14x14 maps as 49 tokens of 4 C numbers."""
        if self.tokens == "spatial":
            return F.pixel_unshuffle(map_BCHW, 2).flatten(2).transpose(1, 2)
        return map_BCHW.flatten(1).unflatten(1, (NUM_PATCHES, -1))


def with_mean_token(tokens_BNC: Tensor) -> Tensor:
    """The tokens behind one more that is their mean."""
    return torch.cat([tokens_BNC.mean(1, keepdim=True), tokens_BNC], dim=1)
