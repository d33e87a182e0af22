"""Choose the faces to explain: for each class the most confident correct and incorrect predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64


@dataclass(frozen=True, slots=True)
class ChosenCase:
    """One face to look at: its place among the samples, its classes, the probability of the predicted one."""

    place: int
    target: int
    predicted: int
    probability: float

    @property
    def is_right(self) -> bool:
        """Whether the face was recognised."""
        return self.target == self.predicted


def choose_cases(
    targets: Int64[np.ndarray, " faces"],
    probabilities: Float[np.ndarray, "faces classes"],
    per_class: int,
    groups: Sequence[str] = (),
) -> list[ChosenCase]:
    """Of each true class the `per_class` surest faces that were recognised, then the surest that were mistaken.

    Equal probabilities keep the order of the samples, so the choice depends on nothing else.

    Args:
        targets: true classes.
        probabilities: of each class.
        per_class: how many of each kind.
        groups: subject of each face; another one is taken before a second face of the same one, because frames of
            one person look alike. Empty, or an empty word, where not known.
    """
    predicted = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1)
    surest_first = np.argsort(-sure, kind="stable")
    chosen = []
    for target in range(probabilities.shape[1]):
        mine = surest_first[targets[surest_first] == target]
        is_hit = predicted[mine] == target
        for places in (mine[is_hit], mine[~is_hit]):
            kept = _of_different_groups(places.tolist(), groups)[:per_class]
            chosen += [ChosenCase(p, target, int(predicted[p]), float(sure[p])) for p in kept]
    return chosen


def _of_different_groups(places: list[int], groups: Sequence[str]) -> list[int]:
    """The first place of each group, then the others, both in their order."""
    seen: set[str] = set()
    first: list[int] = []
    later: list[int] = []
    for place in places:
        group = groups[place] if groups else ""
        (later if group and group in seen else first).append(place)
        seen.add(group)
    return first + later
