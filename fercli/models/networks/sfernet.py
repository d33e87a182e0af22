"""SFERNet: attention among superpixels of a face, in four stages.

B pictures, C channels, H W pixels, N pixels in a row-major line, S superpixels, h heads, K classes.
"""

# A module's call has no return type in torch, and Tensor.unflatten no types at all.
# mypy: disable-error-code="no-any-return,no-untyped-call"

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from fercli.models.networks.layers import Mlp, full_precision, init_linear

# Start of the post-norm's weights. At 1, ten blocks add up to maps that drown the picture, and training from scratch at
# lr 5e-4 ends at chance (seen on eight pictures); Swin V2, whose post-norm this is, starts at 0.
ATTENTION_START = 0.1
# Rows and columns from a superpixel to its nine neighbours, itself in the middle; slot 8 - i is the way back of i.
_STEPS = tuple((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1))


class Superpixels(NamedTuple):
    """How pixels belong to superpixels: `weight_BSP9` of each pixel of a cell to the cell's nine neighbours."""

    weight_BSP9: Tensor
    neighbour_S9: Tensor
    is_inside_S9: Tensor


class ExpertStem(nn.Module):
    """MEFE: a convolution feeds eight depthwise-separable experts, a switcher weighs them, their sum joins the input.

    Source: figure of the SFERNet project; kernel sizes and the form of experts and switcher are our reading.
    """

    def __init__(self, channels: int, num_experts: int = 8) -> None:
        super().__init__()
        self.num_experts = num_experts
        self.enter = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.GELU()
        )
        self.switch = nn.Linear(channels, num_experts)
        # All experts as one grouped convolution each for depth and points; group e of C channels is expert e.
        wide = num_experts * channels
        self.depthwise = nn.Conv2d(channels, wide, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(wide, wide, 1, groups=num_experts, bias=False)
        self.expert_norm = nn.BatchNorm2d(wide)
        self.join = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x_BCHW: Float[Tensor, "batch channels height width"]) -> Tensor:
        """A map of the same shape."""
        entered = self.enter(x_BCHW)
        weight_BE = torch.softmax(self.switch(entered.mean((2, 3))), dim=-1)
        # The grouped convolution gives channel-major results; experts need expert-major ones.
        depth = self.depthwise(entered).unflatten(1, (-1, self.num_experts)).transpose(1, 2).flatten(1, 2)
        experts = F.gelu(self.expert_norm(self.pointwise(depth))).unflatten(1, (self.num_experts, -1))
        mixed = (experts * weight_BE[:, :, None, None, None]).sum(1)
        return x_BCHW + self.join(torch.cat([x_BCHW, mixed], dim=1))


class SuperpixelAttention(nn.Module):
    """SPAA: pixels are gathered softly into superpixels, these attend to each other, pixels get the answers back.

    A superpixel starts as the mean of a `size` x `size` cell; three times, each pixel is shared among the nine
    superpixels around it by softmax of their inner product times C^-1/2, and superpixels become weighted means. The
    shares carry no gradient, the last weighted mean does. Neighbours beyond the edge get no share. With `size` 1 the
    pixels are the superpixels. In the attention, queries pass a depthwise 5x5 convolution with BN, and scores are
    mixed across heads before the softmax.

    Source: figure of the SFERNet project; superpixel sampling as in Jampani et al., ECCV 2018, and Huang et al.,
    Super Token Attention, CVPR 2023.
    """

    def __init__(self, channels: int, num_heads: int, size: int, num_rounds: int = 3) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(f"heads is {num_heads}, which does not divide {channels} channels")
        self.num_heads, self.size, self.num_rounds = num_heads, size, num_rounds
        self.qkv = nn.Linear(channels, 3 * channels)
        self.interact = nn.Sequential(
            nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False), nn.BatchNorm2d(channels)
        )
        self.mix_heads = nn.Conv2d(num_heads, num_heads, 1)
        self.project = nn.Linear(channels, channels)

    def forward(self, x_BHWC: Float[Tensor, "batch height width channels"]) -> Tensor:
        """A map of the same shape; height and width must be divisible by `size`."""
        rows, columns = x_BHWC.shape[1] // self.size, x_BHWC.shape[2] // self.size
        if self.size == 1:
            return self.attend(x_BHWC.flatten(1, 2), rows, columns).unflatten(1, (rows, columns))
        cells_BSPC = split_cells(x_BHWC, self.size)
        superpixels = self.associate(cells_BSPC, rows, columns)
        answers = self.attend(gather_pixels(cells_BSPC, superpixels), rows, columns)
        pixels_BSPC = superpixels.weight_BSP9 @ answers[:, superpixels.neighbour_S9]
        return join_cells(pixels_BSPC, rows, columns, self.size)

    @torch.no_grad()
    def associate(self, cells_BSPC: Tensor, rows: int, columns: int) -> Superpixels:
        """Share every pixel among the superpixels around its cell."""
        neighbours, is_inside = neighbour_cells(rows, columns, cells_BSPC.device)
        centre_BSC = cells_BSPC.mean(2)
        for step in range(self.num_rounds):
            scores = cells_BSPC @ centre_BSC[:, neighbours].transpose(2, 3) * cells_BSPC.shape[-1] ** -0.5
            scores = scores.masked_fill(~is_inside[:, None], float("-inf"))
            shares = Superpixels(torch.softmax(scores, dim=-1), neighbours, is_inside)
            if step + 1 < self.num_rounds:
                centre_BSC = gather_pixels(cells_BSPC, shares)
        return shares

    def attend(self, tokens_BSC: Tensor, rows: int, columns: int) -> Tensor:
        """Self-attention among superpixels that lie on a grid."""
        query, key, value = self.qkv(tokens_BSC).chunk(3, dim=-1)
        query = self.interact(query.transpose(1, 2).unflatten(2, (rows, columns))).flatten(2).transpose(1, 2)
        query, key, value = (x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for x in (query, key, value))
        scores_BhSS = self.mix_heads(query @ key.transpose(2, 3) * query.shape[-1] ** -0.5)
        mixed = torch.softmax(scores_BhSS, dim=-1) @ value
        return self.project(mixed.transpose(1, 2).flatten(2))


class DualAttentionGate(nn.Module):
    """DARF: gate every pixel and every channel by local and global context.

    Source: figure of the SFERNet project; context modelling as in Cao et al., GCNet, ICCV Workshops 2019.
    """

    def __init__(self, channels: int, ratio: float = 0.25) -> None:
        super().__init__()
        hidden = max(1, int(channels * ratio))
        self.norm = nn.LayerNorm(channels)
        self.local = nn.Linear(channels, hidden)
        self.context = nn.Linear(channels, 1)
        self.summary = nn.Linear(channels, hidden)
        self.spatial_gate = nn.Linear(2 * hidden, 1)
        self.channel_gate = nn.Linear(hidden, channels)

    def forward(self, x_BHWC: Float[Tensor, "batch height width channels"]) -> Tensor:
        """A map of the same shape."""
        normed_BNC = self.norm(x_BHWC).flatten(1, 2)
        local = F.gelu(self.local(normed_BNC))
        weight_BN1 = torch.softmax(self.context(normed_BNC), dim=1)
        summary = F.gelu(self.summary(weight_BN1.transpose(1, 2) @ normed_BNC))
        spatial = torch.sigmoid(self.spatial_gate(torch.cat([local, summary.expand_as(local)], dim=-1)))
        gate_BNC = torch.sigmoid(self.channel_gate(summary)) * spatial
        return x_BHWC * gate_BNC.unflatten(1, x_BHWC.shape[1:3])


class SferBlock(nn.Module):
    """x + LN(SPAA(x)), then x + DARF(MLP(x)): post-norm."""

    def __init__(self, channels: int, num_heads: int, size: int, mlp_ratio: float) -> None:
        super().__init__()
        self.attention = SuperpixelAttention(channels, num_heads, size)
        self.norm = nn.LayerNorm(channels)
        self.mlp = Mlp(channels, int(channels * mlp_ratio))
        self.gate = DualAttentionGate(channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """A map of the same shape; turning the axes copies nothing once the memory is channels-last."""
        x_BHWC = x_BCHW.permute(0, 2, 3, 1)
        x_BHWC = x_BHWC + self.norm(self.attention(x_BHWC))
        return (x_BHWC + self.gate(self.mlp(x_BHWC))).permute(0, 3, 1, 2)


class GeneralisedMean(nn.Module):
    """Pool a map by a mean of powers; the power is learned and starts at 3. Values below `eps` count as `eps`.

    Source: Radenovic et al., TPAMI 2019, eq. 3.
    """

    def __init__(self, power: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor([power]))
        self.eps = eps

    def forward(self, tokens_BNC: Float[Tensor, "batch tokens channels"]) -> Float[Tensor, "batch channels"]:
        """One number per channel, computed in float32."""
        with full_precision(tokens_BNC):
            power = self.power.float()
            pooled = tokens_BNC.float().clamp(min=self.eps).pow(power).mean(1).pow(1 / power)
        return pooled.to(tokens_BNC.dtype)


class SferNet(nn.Module):
    """SFERNet, superpixel-assisted facial expression recognition, from its project's README and figures.

    Figures give the parts and their order; sizes that no source states are our reading and are arguments here. At
    width 96 and 5 classes it has 29.2 M parameters. No accuracy of it is published, so none is compared with.

    Args:
        num_classes: of the last layer.
        width: channels of the first stage; each later stage has twice as many.
        depths: blocks of the four stages, at 1/4, 1/8, 1/16 and 1/32 of the picture.
        heads: of the superpixel attention, in every stage.
        sizes: sides of a superpixel cell per stage; a 224 picture has 7x7 superpixels in each.
        stem, experts, num_stems: channels of the stem, experts and repeats of MEFE (n0).
        mlp_ratio: of the blocks' MLP.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        width: int = 96,
        depths: tuple[int, int, int, int] = (2, 2, 6, 2),
        heads: int = 3,
        sizes: tuple[int, int, int, int] = (8, 4, 2, 1),
        stem: int = 48,
        experts: int = 8,
        num_stems: int = 1,
        mlp_ratio: float = 4.0,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _halve(3, stem),
            nn.GELU(),
            _halve(stem, stem),
            *(ExpertStem(stem, experts) for _ in range(num_stems)),
            nn.Conv2d(stem, width, 1),
        )
        widths = [width * 2**i for i in range(4)]
        self.merges = nn.ModuleList(PatchMerging(source, 2 * source) for source in widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(*(SferBlock(channels, heads, size, mlp_ratio) for _ in range(depth)))
            for channels, size, depth in zip(widths, sizes, depths, strict=True)
        )
        self.tokens = nn.Flatten(1, 2)
        self.pool = GeneralisedMean()
        self.classify = nn.Linear(widths[-1], num_classes)
        for part in (self.stages, self.merges, self.classify):
            init_linear(part)
        for module in self.modules():
            if isinstance(module, SferBlock):
                nn.init.constant_(module.norm.weight, ATTENTION_START)

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """RGB normalised by ImageNet's mean and std to logits; sides must be divisible by 32."""
        x = self.stem(image_BCHW)
        for index, stage in enumerate(self.stages):
            x = stage(x if index == 0 else self.merges[index - 1](x))
        return self.classify(self.pool(self.tokens(x.permute(0, 2, 3, 1))))


class PatchMerging(nn.Module):
    """Four pixels of a 2x2 patch side by side, norm, linear. Source: Liu et al., Swin, ICCV 2021, section 3.1."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * in_channels)
        self.reduce = nn.Linear(4 * in_channels, channels, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """A map of half the size."""
        height, width = x_BCHW.shape[-2:]
        patches = split_cells(x_BCHW.permute(0, 2, 3, 1), 2).flatten(2)
        return self.reduce(self.norm(patches)).transpose(1, 2).unflatten(2, (height // 2, width // 2))


def neighbour_cells(rows: int, columns: int, device: torch.device) -> tuple[Int[Tensor, "cells 9"], Tensor]:
    """Index of the nine cells around each cell of a grid, and whether they lie inside it; outside ones index 0."""
    row = torch.arange(rows, device=device)[:, None, None] + torch.tensor([s[0] for s in _STEPS], device=device)
    column = torch.arange(columns, device=device)[None, :, None] + torch.tensor([s[1] for s in _STEPS], device=device)
    is_inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    index = torch.where(is_inside, row * columns + column, 0)
    return index.flatten(0, 1), is_inside.flatten(0, 1)


def gather_pixels(cells_BSPC: Tensor, superpixels: Superpixels) -> Tensor:
    """Superpixels as weighted means of the pixels that share in them, "batch superpixels channels".

    What cell s gives to the neighbour in slot i arrives there from slot 8 - i, so each superpixel collects from its
    own neighbours: no scattered additions, hence the same order of sums on every run and device.
    """
    weight_BS9P = superpixels.weight_BSP9.transpose(2, 3)
    sums = torch.cat([weight_BS9P @ cells_BSPC, weight_BS9P.sum(3, keepdim=True)], dim=-1)
    back = torch.arange(8, -1, -1, device=cells_BSPC.device)
    arrived = sums[:, superpixels.neighbour_S9, back] * superpixels.is_inside_S9[:, :, None]
    total = arrived.sum(2)
    return total[..., :-1] / (total[..., -1:] + 1e-12)


def split_cells(x_BHWC: Tensor, size: int) -> Float[Tensor, "batch cells pixels channels"]:
    """Cut a map into cells of `size` x `size` pixels, both in reading order."""
    batch, height, width, channels = x_BHWC.shape
    cells = x_BHWC.reshape(batch, height // size, size, width // size, size, channels).transpose(2, 3)
    return cells.reshape(batch, -1, size * size, channels)


def join_cells(cells_BSPC: Tensor, rows: int, columns: int, size: int) -> Tensor:
    """The inverse of `split_cells`."""
    cells = cells_BSPC.reshape(-1, rows, columns, size, size, cells_BSPC.shape[-1]).transpose(2, 3)
    return cells.reshape(-1, rows * size, columns * size, cells_BSPC.shape[-1])


def _halve(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels))
