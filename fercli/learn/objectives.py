"""Compute the loss of a batch: each paper's training trick is one objective.

B pictures, C channels, H W pixels, K classes.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from fercli.learn.recipe import ClassWeights

# Effective number of samples, Cui et al., CVPR 2019: their best beta for sets of this size.
_EFFECTIVE_BETA = 0.999


@dataclass(frozen=True)
class LossOptions:
    """What any objective's cross-entropy is given besides the targets.

    Args:
        label_smoothing: share of the target that is spread evenly over all classes.
        weights_K: a weight for each class; None weighs all alike.
    """

    label_smoothing: float = 0.0
    weights_K: Tensor | None = None


# The loss, and the logits that the training accuracy is counted on.
Objective = Callable[[nn.Module, Tensor, Tensor, LossOptions], tuple[Tensor, Tensor]]


def cross_entropy(
    model: nn.Module, image_BCHW: Tensor, targets: Tensor, options: LossOptions
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch classes"]]:
    """Cross-entropy with hard targets (class indices) or soft ones (shares of each class)."""
    logits_BK = model(image_BCHW).float()
    return target_loss(logits_BK, targets, options), logits_BK


def flip_consistency(
    model: nn.Module, image_BCHW: Tensor, targets: Tensor, options: LossOptions
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch classes"]]:
    """Cross-entropy + 5 x mean squared difference of the class maps and the mirrored maps of the mirror image.

    Source: Zhang et al., Learn From All, ECCV 2022, eq. 4 and 5, lambda 5. As in their code the views go through one
    after the other: each is normalised by its own batch, and the running statistics move twice.
    """
    features, mirrored = _features(model, image_BCHW), _features(model, image_BCHW.flip(-1))
    logits_BK = features.logits_BK.float()
    difference = F.mse_loss(features.class_maps_BKHW.float(), mirrored.class_maps_BKHW.float().flip(-1))
    return target_loss(logits_BK, targets, options) + 5 * difference, logits_BK


def attention_regularised(
    model: nn.Module, image_BCHW: Tensor, targets: Tensor, options: LossOptions
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch classes"]]:
    """Cross-entropy + the mean squared deviation of the attention weights of the batch from their mean.

    Source: El Boudouri and Bohi, EmoNeXt, MMSP 2023, section on the self-attention regularisation term.
    """
    features = _features(model, image_BCHW)
    weights = features.attention_BB.float()
    logits_BK = features.logits_BK.float()
    return target_loss(logits_BK, targets, options) + (weights - weights.mean()).square().mean(), logits_BK


def head_diversity(
    model: nn.Module, image_BCHW: Tensor, targets: Tensor, options: LossOptions
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch classes"]]:
    """Cross-entropy + 0.1 / the mean over pairs of heads of the mean squared difference of their attention.

    Source: Zhang et al., DDAMFN, Electronics 2023, section 3.4, lambda 0.1.
    """
    features = _features(model, image_BCHW)
    logits_BK = features.logits_BK.float()
    pairs = list(combinations([head.float() for head in features.heads], 2))
    loss = target_loss(logits_BK, targets, options)
    if not pairs:  # a single head has nothing to differ from
        return loss, logits_BK
    difference = torch.stack([F.mse_loss(first, second) for first, second in pairs]).mean()
    return loss + 0.1 / (difference + sys.float_info.epsilon), logits_BK


def smoothed_twice(
    model: nn.Module, image_BCHW: Tensor, targets: Tensor, options: LossOptions
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch classes"]]:
    """Cross-entropy + 2 x cross-entropy with label smoothing 0.2.

    Source: Zheng et al., POSTER, ICCV workshops 2023; the authors' training script.
    """
    logits_BK = model(image_BCHW).float()
    smoothed = LossOptions(0.2, options.weights_K)
    loss = target_loss(logits_BK, targets, options) + 2 * target_loss(logits_BK, targets, smoothed)
    return loss, logits_BK


def each_branch(
    model: nn.Module, image_BCHW: Tensor, targets: Tensor, options: LossOptions
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch classes"]]:
    """The mean of the branches' own cross-entropies: each learns as if it were alone, so that they err apart.

    The logits are those of the branches' mean probabilities.
    """
    features = _features(model, image_BCHW)
    logits_BNK = features.branch_logits_BNK.float()
    own = targets.repeat_interleave(logits_BNK.shape[1], dim=0)
    return target_loss(logits_BNK.flatten(0, 1), own, options), features.logits_BK


# Names as in the rows of models/table; a new objective is one function and one row.
OBJECTIVES: dict[str, Objective] = {
    "cross-entropy": cross_entropy,
    "eac": flip_consistency,
    "emonext": attention_regularised,
    "ddamfn": head_diversity,
    "poster": smoothed_twice,
    "branches": each_branch,
}


def target_loss(
    logits_BK: Float[Tensor, "batch classes"],
    targets: Int64[Tensor, " batch"] | Float[Tensor, "batch classes"],
    options: LossOptions,
) -> Float[Tensor, ""]:
    """Mean cross-entropy. With class weights it is the weighted mean for hard targets, as in torch."""
    return F.cross_entropy(logits_BK, targets, weight=options.weights_K, label_smoothing=options.label_smoothing)


def class_weights(counts: Int64[np.ndarray, " classes"], rule: ClassWeights) -> Float32[Tensor, " classes"] | None:
    """A weight for each class, so scaled that the mean over the training faces is 1; a class without faces gets 0.

    "inverse" is 1 / n, "sqrt" its root, "effective" (1 - b) / (1 - b^n) with b = 0.999 (Cui et al., CVPR 2019, eq. 2).
    """
    if rule == "none":
        return None
    present = counts > 0
    numbers = np.where(present, counts, 1).astype(np.float64)
    raw = {
        "inverse": 1 / numbers,
        "sqrt": 1 / np.sqrt(numbers),
        "effective": (1 - _EFFECTIVE_BETA) / (1 - _EFFECTIVE_BETA**numbers),
    }[rule]
    raw = np.where(present, raw, 0.0)
    return torch.tensor(raw * counts.sum() / (raw * counts).sum(), dtype=torch.float32)


def _features(model: nn.Module, image_BCHW: Tensor) -> Any:  # each network's own NamedTuple
    return model.forward_features(image_BCHW)  # type: ignore[operator]  # a network whose spec names the objective has it
