"""POSTER++'s cross-attention whose window is the whole map: arXiv 2301.12149, and the authors' repository."""

import torch
from torch import Tensor

from tests.models.wiring.plain import Weights, attend, heads_of, linear


def window_attention(weights: Weights, x_BNC: Tensor, query_BNC: Tensor, *, side: int, num_heads: int) -> Tensor:
    """Keys and values from `x_BNC`, queries as they come; each pair of pixels has a bias by its displacement."""
    channels = x_BNC.shape[-1]
    key, value = linear(weights, "key_value", x_BNC).split(channels, dim=-1)
    table = weights["relative_bias"]
    rows, columns = torch.arange(side * side) // side, torch.arange(side * side) % side
    down = rows[:, None] - rows + side - 1
    right = columns[:, None] - columns + side - 1
    bias = table[down * (2 * side - 1) + right].permute(2, 0, 1)
    out = attend(
        heads_of(query_BNC, num_heads),
        heads_of(key, num_heads),
        heads_of(value, num_heads),
        scale=(channels // num_heads) ** -0.5,
        bias=bias,
    )
    return linear(weights, "project", out)
