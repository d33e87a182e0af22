"""Parts that more than one network is made of: input resizing, channel attention, window attention.

B pictures, C channels, H W pixels, N tokens, D channels of one head.
"""

# A module's call has no return type in torch, and Tensor.unflatten no types at all.
# mypy: disable-error-code="no-any-return,no-untyped-call"

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

ResizeRule = Literal["antialias", "nearest", "none"]
FixedResizeRule = Literal["antialias", "nearest"]


def resize_image(
    image_BCHW: Float[Tensor, "batch channels height width"], size: int, rule: ResizeRule
) -> Float[Tensor, "batch channels height2 width2"]:
    """Bring a picture to `size` x `size`; one that has the size already, or rule "none", passes unchanged.

    "antialias" is bilinear with a widened kernel; "nearest" keeps every second pixel of a 224 picture, as POSTER++'s
    code does, and is there for parity only. Computed in float32: bilinear antialiasing has no bfloat16 kernel on CPU.
    """
    if rule == "none" or image_BCHW.shape[-2:] == (size, size):
        return image_BCHW
    if rule == "nearest":
        return F.interpolate(image_BCHW, size=(size, size), mode="nearest")
    small = F.interpolate(image_BCHW.float(), size=(size, size), mode="bilinear", antialias=True)
    return small.to(image_BCHW.dtype)


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """A context in which autocast leaves float32 alone, on the device of `x`."""
    return nullcontext() if x.device.type == "meta" else torch.autocast(x.device.type, enabled=False)


class Mlp(nn.Module):
    """Linear, GELU, linear over the last axis."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.widen = nn.Linear(channels, hidden)
        self.activation = nn.GELU()
        self.narrow = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Token to token."""
        return self.narrow(self.activation(self.widen(x)))


class ChannelAttention(nn.Module):
    """Weigh channels by what their global maximum and global mean say, one MLP for both.

    C -> C/reduction -> C with biases and ReLU; the two answers are added, then sigmoid.

    Source: Woo et al., CBAM, ECCV 2018, eq. 2; SFER-MDFAE eq. 1.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, channels))

    def forward(self, x_BCHW: Float[Tensor, "batch channels height width"]) -> Tensor:
        """The map with every channel scaled by a weight in (0, 1)."""
        weight_BC = torch.sigmoid(self.mlp(x_BCHW.amax((2, 3))) + self.mlp(x_BCHW.mean((2, 3))))
        return x_BCHW * weight_BC[:, :, None, None]


class SqueezeExcitation(nn.Module):
    """Weigh the channels of a vector or a map by a bottleneck of their means.

    Source: Hu et al., CVPR 2018, eq. 2-4.
    """

    def __init__(self, channels: int, reduction: int, *, bias: bool) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.gate = nn.Sequential(
            nn.Linear(channels, hidden, bias=bias),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels, bias=bias),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`x` is "batch channels" or "batch channels height width"."""
        if x.ndim == 2:
            return x * self.gate(x)
        return x * self.gate(x.mean((2, 3)))[:, :, None, None]


class VectorExcitation(nn.Module):
    """Weigh the numbers of a vector by two full-width linear layers, ReLU between, sigmoid after.

    The POSTER family calls it SE block; nothing is squeezed. Source: their code.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Linear(channels, channels)
        self.second = nn.Linear(channels, channels)

    def forward(self, x_BC: Float[Tensor, "batch channels"]) -> Float[Tensor, "batch channels"]:
        """A vector of the same length."""
        return x_BC * torch.sigmoid(self.second(F.relu(self.first(x_BC), inplace=True)))


class WindowCrossAttention(nn.Module):
    """Attention over a map that is one window: queries come from elsewhere, keys and values from the map.

    A learned bias for each relative position and head is added to the scores.

    Source: POSTER++ (arXiv 2301.12149), section 3.2; relative bias as in Swin, ICCV 2021, eq. 4.
    """

    relative_index_NN: Tensor

    def __init__(self, channels: int, num_heads: int, size: int) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(f"{channels} channels cannot be shared by {num_heads} heads")
        self.num_heads = num_heads
        self.key_value = nn.Linear(channels, 2 * channels)
        self.project = nn.Linear(channels, channels)
        self.relative_bias = nn.Parameter(torch.zeros((2 * size - 1) ** 2, num_heads))
        nn.init.trunc_normal_(self.relative_bias, std=0.02)
        self.register_buffer("relative_index_NN", relative_positions(size), persistent=False)

    def forward(
        self, tokens_BNC: Float[Tensor, "batch tokens channels"], query_BNC: Float[Tensor, "batch tokens channels"]
    ) -> Float[Tensor, "batch tokens channels"]:
        """Answer each query token with a mixture of the map's values."""
        key, value = self.key_value(tokens_BNC).chunk(2, dim=-1)
        bias_hNN = self.relative_bias[self.relative_index_NN].permute(2, 0, 1)[None]
        query, key, value = (self._split_heads(x) for x in (query_BNC, key, value))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias_hNN.to(query.dtype))
        return self.project(mixed.transpose(1, 2).flatten(2))

    def _split_heads(self, x_BNC: Tensor) -> Tensor:
        return x_BNC.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def relative_positions(size: int) -> Tensor:
    """Row of the bias table for every (query, key) pair of a `size` x `size` window, "tokens tokens"."""
    axis = torch.arange(size)
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    row_N, column_N = rows.flatten(), columns.flatten()
    down = row_N[:, None] - row_N[None, :] + size - 1
    right = column_N[:, None] - column_N[None, :] + size - 1
    return down * (2 * size - 1) + right


def init_linear(part: nn.Module) -> None:
    """Truncated normal of 0.02 for linear layers and zero biases, as transformers start; norms keep theirs."""
    for module in part.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def init_like_keras(network: nn.Module) -> None:
    """Glorot-uniform weights and zero biases, Keras' default for dense and convolutional layers."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class StochasticDepth(nn.Module):
    """Leaves a residual branch out for a share of the pictures while the network learns, and scales the others up.

    Source: Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016; draws and scales as torchvision does.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, branch: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The branch, or zeros for the pictures that it is left out of."""
        if not self.training or self.p == 0:
            return branch
        kept = torch.empty([len(branch)] + [1] * (branch.ndim - 1), dtype=branch.dtype, device=branch.device)
        kept.bernoulli_(1 - self.p)
        if self.p < 1:
            kept.div_(1 - self.p)
        return branch * kept


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of each place of a map."""

    def forward(self, image_BCHW: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch _ _ _"]:
        """Each place on its own."""
        image_BHWC = image_BCHW.permute(0, 2, 3, 1)
        image_BHWC = F.layer_norm(image_BHWC, self.normalized_shape, self.weight, self.bias, self.eps)
        return image_BHWC.permute(0, 3, 1, 2)
