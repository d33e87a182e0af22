"""SFER-MDFAE: channel-weighted features of four scales, and top-n region attention on the last.

B pictures, C channels, H W pixels, N patches, R regions, K classes.
"""

# A module's call has no return type in torch, and Tensor.unflatten no types at all.
# mypy: disable-error-code="no-any-return,no-untyped-call"

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fercli.models.networks.backbones import IR50_BLOCKS, IR50_WIDTHS, Ir50
from fercli.models.networks.layers import (
    ChannelAttention,
    ResizeRule,
    WindowCrossAttention,
    full_precision,
    init_linear,
    resize_image,
)

Variant = Literal["full", "nm", "np", "np-l4", "na", "rw"]
ScoreScale = Literal["head", "channels"]
LocalEncoding = Literal["after", "before", "none"]
BACKBONE_SIZE = 112


class SferFeatures(NamedTuple):
    """What the classifier sees: `multi_BC` of all scales (F_m), `deep_BC` of the last (F_dl)."""

    multi_BC: Tensor
    deep_BC: Tensor


class MultiScaleFeatures(nn.Module):
    """MDPFA: per scale channel attention, then the global mean; the means of all scales in one vector (eq. 1-3)."""

    def __init__(self, widths: tuple[int, ...], reduction: int = 4) -> None:
        super().__init__()
        self.attentions = nn.ModuleList(ChannelAttention(width, reduction) for width in widths)

    def forward(self, maps: list[Tensor]) -> Float[Tensor, "batch channels"]:
        """960 numbers from 64 + 128 + 256 + 512 channels."""
        weighted = [attention(x) for attention, x in zip(self.attentions, maps, strict=True)]
        return torch.cat([x.mean((2, 3)) for x in weighted], dim=1)


class PlainScales(nn.Module):
    """F_m of variant `np`: the means of all scales without attention."""

    def forward(self, maps: list[Tensor]) -> Float[Tensor, "batch channels"]:
        """As many numbers as all maps have channels."""
        return torch.cat([x.mean((2, 3)) for x in maps], dim=1)


class TopRegionAttention(nn.Module):
    """KROA: every patch attends to all patches of the `topn` regions most related to its own (eq. 4-14).

    A map is cut into `regions` x `regions` regions (one patch each at 7x7). Regions are compared by the inner product
    of their mean queries and mean keys over the full width, so all heads share the routing; it is computed in float32
    and carries no gradient. A depthwise 5x5 convolution of the values is added, the local position encoding.

    The chosen regions are a mask on the full score matrix rather than gathered keys: the numbers are the same, and at
    7x7 copying 15 regions for each of 49 costs more than the 49 x 49 product.

    The convolution starts as the identity, of which the paper says nothing: kernels drawn at random would smear each
    value over 25 patches, and the CAM of the map with it, before anything is learnt.

    Args:
        channels: of the map; 512 gives 1,063,936 parameters.
        regions: m; height and width of the map must be divisible by it.
        topn: regions each region attends to, 1 to regions squared.
        num_heads: the paper doesn't say; 8 here.
        scale: scores are divided by the root of the width of a "head" (the paper's d, as we read it) or of all
            "channels" (Zhu et al., BiFormer, CVPR 2023, whose code the design follows).
        local_encoding: added "after" the output projection (eq. 14), "before" it (BiFormer), or left out ("none").
        residual: add the input, as the text under Fig. 8 says and no equation does.
    """

    def __init__(
        self,
        channels: int,
        *,
        regions: int = 7,
        topn: int = 15,
        num_heads: int = 8,
        scale: ScoreScale = "head",
        local_encoding: LocalEncoding = "after",
        residual: bool = False,
    ) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(f"heads is {num_heads}, which does not divide {channels} channels")
        if not 1 <= topn <= regions**2:
            raise ValueError(f"topn is {topn}; {regions} x {regions} regions allow 1 to {regions**2}")
        self.regions, self.topn, self.num_heads = regions, topn, num_heads
        self.score_factor = (channels // num_heads if scale == "head" else channels) ** -0.5
        self.adds_before = local_encoding == "before"
        self.residual = residual
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.local = None if local_encoding == "none" else nn.Conv2d(channels, channels, 5, 1, 2, groups=channels)
        if self.local is not None:
            nn.init.dirac_(self.local.weight, groups=channels)
            assert self.local.bias is not None
            nn.init.zeros_(self.local.bias)

    def forward(self, x_BCHW: Float[Tensor, "batch channels height width"]) -> Tensor:
        """A map of the same shape.

        Raises:
            ValueError: the map cannot be cut into equal regions.
        """
        height, width = x_BCHW.shape[-2:]
        if height % self.regions or width % self.regions:
            m = self.regions
            raise ValueError(f"a map of {height} x {width} cannot be cut into {m} x {m} equal regions")
        query, key, value = self.qkv(x_BCHW.flatten(2).transpose(1, 2)).chunk(3, dim=-1)
        mask_BNN = None
        if self.topn < self.regions**2:
            mask_BNN = self.route(_as_map(query, height, width), _as_map(key, height, width))[:, None]
        q, k, v = (x_BNC.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for x_BNC in (query, key, value))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask_BNN, scale=self.score_factor)
        out = self._merge(mixed.transpose(1, 2).flatten(2), _as_map(value, height, width))
        return x_BCHW + out if self.residual else out

    @torch.no_grad()
    def route(self, query_BCHW: Tensor, key_BCHW: Tensor) -> Bool[Tensor, "batch patches patches"]:
        """Which patch may look at which: rows ask, columns answer."""
        height, width = query_BCHW.shape[-2:]
        with full_precision(query_BCHW):
            query_BRC = F.adaptive_avg_pool2d(query_BCHW.float(), self.regions).flatten(2).transpose(1, 2)
            key_BCR = F.adaptive_avg_pool2d(key_BCHW.float(), self.regions).flatten(2)
            chosen_BRn = (query_BRC @ key_BCR).topk(self.topn, dim=-1).indices
        related_BRR = torch.zeros(query_BRC.shape[0], self.regions**2, self.regions**2, device=query_BRC.device)
        related_BRR = related_BRR.scatter(2, chosen_BRn, 1.0) > 0
        region_N = self._region_of_patch(height, width, related_BRR.device)
        return related_BRR[:, region_N][:, :, region_N]

    def _region_of_patch(self, height: int, width: int, device: torch.device) -> Tensor:
        rows = torch.arange(height, device=device) // (height // self.regions)
        columns = torch.arange(width, device=device) // (width // self.regions)
        return (rows[:, None] * self.regions + columns).flatten()

    def _merge(self, mixed_BNC: Tensor, value_BCHW: Tensor) -> Tensor:
        height, width = value_BCHW.shape[-2:]
        if self.local is None:
            return _as_map(self.project(mixed_BNC), height, width)
        local_BCHW = self.local(value_BCHW)
        if self.adds_before:
            return _as_map(self.project(mixed_BNC + local_BCHW.flatten(2).transpose(1, 2)), height, width)
        return _as_map(self.project(mixed_BNC), height, width) + local_BCHW


class WindowAttention(nn.Module):
    """What variant `rw` has in KROA's place: POSTER++'s window cross-attention, queries projected from the same map."""

    def __init__(self, channels: int, *, num_heads: int = 8, size: int = 7) -> None:
        super().__init__()
        self.query = nn.Linear(channels, channels)
        self.attention = WindowCrossAttention(channels, num_heads, size)

    def forward(self, x_BCHW: Float[Tensor, "batch channels height width"]) -> Tensor:
        """A map of the same shape; it must be `size` x `size`."""
        tokens_BNC = x_BCHW.flatten(2).transpose(1, 2)
        return _as_map(self.attention(tokens_BNC, self.query(tokens_BNC)), *x_BCHW.shape[-2:])


class SferMdfae(nn.Module):
    """Shou et al., SFER-MDFAE, Sensors 2024, 24, 6748; no code was published, so sections and equations are the source.

    At full width and 6 classes 31,975,414 parameters and 6,361,792,460 multiply-adds as thop counts them, the paper's
    Table 4 to the last digit it prints. IR-50 is fed 112 pixels: with 224 the count would be 25.4 G.

    Variants of the paper's Table of ablations, and what they count at 6 classes:
        full: F_m of four attended scales, F_dl by KROA; 31,975,414.
        nm: F_m is the last scale only; 31,929,158.
        np: F_m without channel attention, our reading of "without MDPFA"; 31,800,134.
        np-l4: the other one, for section 3.2 has MDPFA choose and gather as well: F_m is the mean of L4; 31,797,446.
        na: F_dl is the mean of L4, no KROA; 30,911,478.
        rw: KROA replaced by window cross-attention whose queries are projected from L4; 31,963,454.

    Where the paper is silent (number of heads, score scale, place of the local encoding, residual, resizing) the
    choice is an option with the reading of MODELS; see `TopRegionAttention` and `resize_image`.

    `image_size` is the side that IR-50 is fed, divisible by 16, with one patch of the last map to a region; other sides
    than the paper's 112 are ours, for small pictures and small machines.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        variant: Variant = "full",
        topn: int = 15,
        heads: int = 8,
        scale: ScoreScale = "head",
        local_encoding: LocalEncoding = "after",
        residual: bool = False,
        resize: ResizeRule = "antialias",
        image_size: int = BACKBONE_SIZE,
        widths: tuple[int, int, int, int] = IR50_WIDTHS,
        blocks: tuple[int, int, int, int] = IR50_BLOCKS,
    ) -> None:
        super().__init__()
        if image_size < 32 or image_size % 16:
            raise ValueError(f"image_size is {image_size}; it must be divisible by 16 and at least 32")
        self.variant, self.resize, self.image_size = variant, resize, image_size
        self.backbone = Ir50(blocks, widths)
        last = widths[-1]
        self.sees_last_alone = variant in ("nm", "np-l4")
        used = widths[-1:] if self.sees_last_alone else widths
        self.scales = PlainScales() if variant in ("np", "np-l4") else MultiScaleFeatures(used)
        self.kroa: nn.Module = TopRegionAttention(
            last,
            regions=image_size // 16,
            topn=topn,
            num_heads=heads,
            scale=scale,
            local_encoding=local_encoding,
            residual=residual,
        )
        if variant == "na":
            self.kroa = nn.Identity()
        elif variant == "rw":
            self.kroa = WindowAttention(last, num_heads=heads, size=image_size // 16)
        self.classify = nn.Linear(sum(used) + last, num_classes)
        for part in (self.scales, self.kroa, self.classify):
            init_linear(part)

    def forward_features(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> SferFeatures:
        """F_m and F_dl."""
        maps = self.backbone(resize_image(image_BCHW, self.image_size, self.resize))
        multi = self.scales(maps[-1:] if self.sees_last_alone else maps)
        return SferFeatures(multi, self.kroa(maps[-1]).mean((2, 3)))

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """RGB normalised by mean and std 0.5 to logits (eq. 15)."""
        return self.classify(torch.cat(self.forward_features(image_BCHW), dim=1))


def _as_map(x_BNC: Tensor, height: int, width: int) -> Tensor:
    return x_BNC.transpose(1, 2).unflatten(2, (height, width))
