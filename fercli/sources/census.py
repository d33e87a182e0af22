"""Pictures of a data set, seen one after another, to what is odd about them: copies, contradictions, blank ones."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8


@dataclass(frozen=True)
class Census:
    """What a set's pictures show.

    Attributes:
        num_constant: pictures of a single grey value.
        num_identical_groups: groups of two or more byte-identical pictures.
        num_conflicting_groups: such groups whose labels differ.
        identical_across: the places of val pictures that are byte-identical to one in train, and of test pictures that
            are to one in train or val.
    """

    num_constant: int
    num_identical_groups: int
    num_conflicting_groups: int
    identical_across: dict[str, tuple[int, ...]]


def picture_digest(image: UInt8[np.ndarray, "..."]) -> bytes:
    """A name for the pixels of a picture: equal for equal pixels and shape, however the file was stored."""
    return hashlib.blake2b(
        np.ascontiguousarray(image).data, digest_size=16, person=repr(image.shape).encode()[:16]
    ).digest()


def is_constant(image: UInt8[np.ndarray, "..."]) -> bool:
    """Whether all pixels have one value, as FER2013's blank pictures do."""
    return bool(image.size == 0 or image.min() == image.max())


def take_census(
    pictures: Sequence[bytes], emotions: Sequence[str], splits: Sequence[str | None], *, num_constant: int
) -> Census:
    """Count copies among pictures by their digests; those without a split take no part in `identical_across`."""
    groups: dict[bytes, list[int]] = {}
    for place, picture in enumerate(pictures):
        groups.setdefault(picture, []).append(place)
    repeated = [group for group in groups.values() if len(group) > 1]
    known_before: dict[str, set[str | None]] = {"val": {"train"}, "test": {"train", "val"}}
    across = {
        split: tuple(
            place
            for group in repeated
            for place in group
            if splits[place] == split and _others(group, splits) & earlier
        )
        for split, earlier in known_before.items()
    }
    return Census(
        num_constant=num_constant,
        num_identical_groups=len(repeated),
        num_conflicting_groups=sum(len({emotions[place] for place in group}) > 1 for group in repeated),
        identical_across={split: tuple(sorted(places)) for split, places in across.items()},
    )


def _others(group: Sequence[int], splits: Sequence[str | None]) -> set[str | None]:
    return {splits[place] for place in group}


def count_parts(parts: Sequence[str]) -> dict[str, int]:
    """Pictures of each published part, in the order in which the parts come."""
    return dict(Counter(parts))
