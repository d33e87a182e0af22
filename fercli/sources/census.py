"""Find what is odd about the images of a dataset: copies, contradictory labels, blank images."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8


@dataclass(frozen=True)
class Census:
    """Copies in a set: groups of two or more byte-identical pictures, and those of them whose labels differ."""

    num_identical_groups: int
    num_conflicting_groups: int


def picture_digest(image: UInt8[np.ndarray, "..."]) -> bytes:
    """A name for the pixels of a picture: equal for equal pixels and shape, however the file was stored."""
    pixels = np.ascontiguousarray(image)
    return hashlib.blake2b(pixels.data, digest_size=16, person=repr(image.shape).encode()[:16]).digest()


def is_constant(image: UInt8[np.ndarray, "..."]) -> bool:
    """Whether all pixels have one value, as in FER2013's blank pictures."""
    return bool(image.size == 0 or image.min() == image.max())


def take_census(pictures: Sequence[bytes], emotions: Sequence[str]) -> Census:
    """Count the copies among pictures, by their digests."""
    groups: dict[bytes, list[int]] = {}
    for place, picture in enumerate(pictures):
        groups.setdefault(picture, []).append(place)
    repeated = [group for group in groups.values() if len(group) > 1]
    conflicting = sum(len({emotions[place] for place in group}) > 1 for group in repeated)
    return Census(len(repeated), conflicting)
