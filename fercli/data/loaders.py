"""Decide the order in which an epoch visits the samples."""

import numpy as np
import torch
from jaxtyping import Int64

from fercli.data.seeding import generator_for


def epoch_batches(
    num_samples: int,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    sampling_weights: "np.ndarray | None" = None,
) -> list[list[int]]:
    """Places of one training epoch, shuffled by (seed, epoch), in batches whose sizes differ by one at most.

    No sample is dropped and no tiny last batch upsets batch normalisation: ten samples in batches of eight are five
    and five.

    With `sampling_weights`, places are drawn with replacement in proportion to them (a balanced sampler).
    """
    generator = generator_for(seed, "order", epoch)
    if sampling_weights is None:
        order = torch.randperm(num_samples, generator=generator)
    else:
        weights = torch.as_tensor(sampling_weights, dtype=torch.float64)
        order = torch.multinomial(weights, num_samples, replacement=True, generator=generator)
    num_batches = max(1, -(-num_samples // batch_size))
    return [batch.tolist() for batch in np.array_split(order.numpy(), num_batches)]


def plain_batches(num_samples: int, batch_size: int) -> list[list[int]]:
    """Places in order, in batches of `batch_size`, the last one shorter."""
    return [list(range(first, min(first + batch_size, num_samples))) for first in range(0, num_samples, batch_size)]


def balanced_weights(targets: Int64[np.ndarray, " faces"]) -> np.ndarray:
    """A weight for each sample so that every class is drawn equally often."""
    counts = np.bincount(targets)
    return np.asarray(1.0 / counts[targets])
