"""Pair people by similarity, one to one, with the margin of each pair to the next best."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

# Means of tracks, SFace: five real people filmed twice, or in halves of one clip, reach 0.71 to 0.90; 299 pairs of
# different people among 24 (four clips, four photographs) at most 0.44.
MIN_SIMILARITY = 0.55
# Below this they are not even proposed; a single picture of one person falls below it only in profile.
_MIN_PROPOSED = 0.3
# On faces that all look alike to the network, such as drawn ones, only the lead over the next best tells.
MIN_MARGIN = 0.1


@dataclass(frozen=True)
class Likeness:
    """A row and a column of a table of similarities.

    Attributes:
        margin: by how much `similarity` exceeds the best of either with anybody else; 2 where there is nobody else.
        is_sure: each is the other's best, above threshold and margin.
    """

    row: int
    column: int
    similarity: float
    margin: float
    is_sure: bool


def pair_alike(similarities: Float[np.ndarray, "rows columns"]) -> list[Likeness]:
    """Pair rows and columns one to one so that the sum of similarities is largest; rows in order, unlike ones left out.

    Args:
        similarities: -1 to 1; minus infinity where two cannot be one person, and such two are never paired.
    """
    if not similarities.size:
        return []
    possible = np.isfinite(similarities)
    rows, columns = linear_sum_assignment(np.where(possible, similarities, -1e3), maximize=True)
    return [
        _likeness(similarities, row, column)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if possible[row, column] and similarities[row, column] >= _MIN_PROPOSED
    ]


def _likeness(similarities: np.ndarray, row: int, column: int) -> Likeness:
    value = float(similarities[row, column])
    others = np.concatenate([np.delete(similarities[row], column), np.delete(similarities[:, column], row)])
    best = float(others.max(initial=-np.inf))
    margin = value - best if np.isfinite(best) else 2.0
    return Likeness(row, column, value, margin, value >= MIN_SIMILARITY and margin >= MIN_MARGIN)
