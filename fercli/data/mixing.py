"""Mix inputs and soft targets within a batch: mixup and cutmix.

B pictures, C channels, H W pixels, K classes.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def mix(
    image_BCHW: Float[Tensor, "batch channels height width"],
    target_BK: Float[Tensor, "batch classes"],
    *,
    generator: torch.Generator,
    mixup: float = 0.0,
    cutmix: float = 0.0,
) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch classes"]]:
    """Mix each picture and its target with another of the batch, by one weight a batch.

    Args:
        image_BCHW: inputs, as the network is fed them.
        target_BK: share of each class.
        generator: of all that is random.
        mixup: alpha of Beta(alpha, alpha) for blended pictures; 0 is off.
        cutmix: alpha for rectangles of the other picture; 0 is off. With both, each batch gets one of them, evenly.
    """
    takes_cutmix = cutmix > 0
    if mixup > 0 and cutmix > 0:
        takes_cutmix = bool(torch.rand((), generator=generator) < 0.5)
    weight = draw_beta(cutmix if takes_cutmix else mixup, generator)
    other = torch.randperm(len(image_BCHW), generator=generator).to(image_BCHW.device)
    if takes_cutmix:
        image, weight = _paste(image_BCHW, image_BCHW[other], weight, generator)
    else:
        image = torch.lerp(image_BCHW[other], image_BCHW, weight)
    return image, torch.lerp(target_BK[other], target_BK, weight)


def draw_beta(alpha: float, generator: torch.Generator) -> float:
    """A number from Beta(alpha, alpha); torch has no public sampler that takes a generator, so NumPy's is seeded."""
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    return float(np.random.default_rng(seed).beta(alpha, alpha))


def _paste(image: Tensor, other: Tensor, weight: float, generator: torch.Generator) -> tuple[Tensor, float]:
    """Put one rectangle of 1 - `weight` of the area of `other` into `image`; the share of `image` that is left.

    The rectangle keeps the picture's proportions, its centre may lie anywhere, what is beyond the edge is cut off.

    Source: Yun et al., CutMix, ICCV 2019, eq. 1 and 2.
    """
    height, width = image.shape[-2:]
    side = math.sqrt(1 - weight)
    top, bottom = _range(height, side, generator)
    left, right = _range(width, side, generator)
    mixed = image.clone(memory_format=torch.preserve_format)
    mixed[..., top:bottom, left:right] = other[..., top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)


def _range(length: int, share: float, generator: torch.Generator) -> tuple[int, int]:
    centre = int(torch.randint(length, (), generator=generator))
    half = int(length * share) // 2
    return max(0, centre - half), min(length, centre + half)
