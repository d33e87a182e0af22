"""What a split has on two sides at once: subjects, videos, byte-identical and near-identical images."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from jaxtyping import UInt64

from fercli.core.rows import SPLITS, SplitRow

_ORDER: dict[str, int] = {split: place for place, split in enumerate(SPLITS)}


@dataclass(frozen=True)
class CopiedImage:
    """One image on two sides: a face of a later split (val before test) and its copy in an earlier one."""

    face_id: str
    split: str
    copy_id: str
    copy_split: str
    fold: int | None = None


@dataclass(frozen=True)
class Leaks:
    """Everything found on two sides of a split.

    Args:
        subjects: each with the splits it is in.
        videos: the same; frames of one video share light and seats, but a leak only where subjects are not known.
        identical: faces of val and test whose image is in an earlier split byte for byte.
        near: the same for images that differ in few bits of their perceptual hash, without the identical ones.
    """

    subjects: dict[str, tuple[str, ...]] = field(default_factory=dict)
    videos: dict[str, tuple[str, ...]] = field(default_factory=dict)
    identical: list[CopiedImage] = field(default_factory=list)
    near: list[CopiedImage] = field(default_factory=list)

    @property
    def identical_across_splits(self) -> int:
        """How many faces of val and test are byte-identical to one of an earlier split."""
        return len({(copy.face_id, copy.fold) for copy in self.identical})

    @property
    def near_across_splits(self) -> int:
        """How many are nearly identical."""
        return len({(copy.face_id, copy.fold) for copy in self.near})


def find_leaks(
    rows: Sequence[SplitRow],
    *,
    subjects: Mapping[str, str] | None = None,
    videos: Mapping[str, str] | None = None,
    hashes: Mapping[str, str] | None = None,
    phashes: Mapping[str, str] | None = None,
    max_bits: int = 2,
) -> Leaks:
    """Look for what two splits share, within each fold.

    Args:
        rows: the split.
        subjects: of each face; the empty string where not known.
        videos: of each face.
        hashes: of each face's image; equal means byte-identical pixels.
        phashes: of each face, 16 hexadecimal digits.
        max_bits: near-identical means that at most so many of 64 bits differ.
    """
    identical = [copy for fold in _folds(rows) for copy in _copies(fold, hashes or {})]
    near = [copy for fold in _folds(rows) for copy in _near_copies(fold, phashes or {}, max_bits)] if phashes else []
    known = {(copy.face_id, copy.fold) for copy in identical}
    return Leaks(
        _on_two_sides(rows, subjects or {}),
        _on_two_sides(rows, videos or {}),
        identical,
        [copy for copy in near if (copy.face_id, copy.fold) not in known],
    )


def without_copies(rows: Sequence[SplitRow], leaks: Leaks, hashes: Mapping[str, str]) -> list[SplitRow]:
    """The split without those faces whose image a later part (val before test) has as well.

    Args:
        rows: the split.
        leaks: of these rows and hashes.
        hashes: of each face's image.
    """
    last: dict[tuple[str, int | None], int] = {}
    for copy in leaks.identical:
        key = hashes[copy.face_id], copy.fold
        last[key] = max(last.get(key, 0), _ORDER[copy.split])
    return [row for row in rows if _ORDER[row.split] >= last.get((hashes.get(row.face_id, ""), row.fold), 0)]


def _folds(rows: Sequence[SplitRow]) -> Iterable[list[SplitRow]]:
    folds: dict[int | None, list[SplitRow]] = defaultdict(list)
    for row in rows:
        folds[row.fold].append(row)
    return folds.values()


def _on_two_sides(rows: Sequence[SplitRow], owner: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    sides: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for row in rows:
        name = owner.get(row.face_id, "")
        if name:
            sides[name, row.fold].add(row.split)
    found: dict[str, set[str]] = defaultdict(set)
    for (name, _), splits in sides.items():
        if len(splits) > 1:
            found[name] |= splits
    return {name: tuple(sorted(found[name], key=_ORDER.__getitem__)) for name in sorted(found)}


def _copies(rows: Sequence[SplitRow], hashes: Mapping[str, str]) -> list[CopiedImage]:
    first: dict[str, SplitRow] = {}
    copies = []
    for row in sorted(rows, key=lambda row: (_ORDER[row.split], row.face_id)):
        image = hashes.get(row.face_id, "")
        other = first.setdefault(image, row) if image else row
        if other.split != row.split:
            copies.append(CopiedImage(row.face_id, row.split, other.face_id, other.split, row.fold))
    return copies


def _near_copies(rows: Sequence[SplitRow], phashes: Mapping[str, str], max_bits: int) -> list[CopiedImage]:
    ordered = sorted(rows, key=lambda row: (_ORDER[row.split], row.face_id))
    ordered = [row for row in ordered if phashes.get(row.face_id)]
    codes = np.array([int(phashes[row.face_id], 16) for row in ordered], dtype=np.uint64)
    starts = np.searchsorted([_ORDER[row.split] for row in ordered], range(len(SPLITS) + 1)).tolist()
    copies = []
    for start, end in pairwise(starts[1:]):
        for place in range(start, end):
            other = _nearest(codes[:start], codes[place], max_bits)
            if other is not None:
                row, copy = ordered[place], ordered[other]
                copies.append(CopiedImage(row.face_id, row.split, copy.face_id, copy.split, row.fold))
    return copies


def _nearest(codes: UInt64[np.ndarray, " faces"], code: np.uint64, max_bits: int) -> int | None:
    """The place of the nearest code; None when none is near."""
    if not len(codes):
        return None
    distances = _num_bits(codes ^ code)
    place = int(np.argmin(distances))
    return place if distances[place] <= max_bits else None


def _num_bits(codes: UInt64[np.ndarray, " faces"]) -> np.ndarray:
    """How many bits of each code are set; numpy before 2 has no bitwise_count."""
    if hasattr(np, "bitwise_count"):
        return np.asarray(np.bitwise_count(codes))
    return np.asarray(np.unpackbits(codes.view(np.uint8).reshape(len(codes), 8), axis=1).sum(axis=1))
