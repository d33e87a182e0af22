"""Derive random generators from one seed and a place in the training, the same in every process."""

import hashlib
from typing import Literal

import torch

# What the numbers are drawn for; a new use takes a new word, so that no two uses share a stream.
Use = Literal["order", "augment", "network", "mix", "norms"]


def derive_seed(seed: int, use: Use, *place: int) -> int:
    """A seed in 0..2^63-1 for one use at one place, e.g. (epoch, step); BLAKE2b, so the same on every machine."""
    text = ":".join(str(part) for part in (seed, use, *place))
    return int.from_bytes(hashlib.blake2b(text.encode("ascii"), digest_size=8).digest(), "big") >> 1


def generator_for(seed: int, use: Use, *place: int) -> torch.Generator:
    """A generator on the CPU, seeded by `derive_seed`."""
    return torch.Generator().manual_seed(derive_seed(seed, use, *place))
