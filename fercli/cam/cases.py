"""Probabilities and true classes to the cases worth looking at: for each class the surest hits and mistakes."""

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
    targets: Int64[np.ndarray, " faces"], probabilities: Float[np.ndarray, "faces classes"], per_class: int
) -> list[ChosenCase]:
    """Of each true class the `per_class` surest faces that were recognised, then the surest that were mistaken.

    Equal probabilities keep the order of the samples, so the choice depends on nothing else.
    """
    predicted = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1)
    surest_first = np.argsort(-sure, kind="stable")
    chosen = []
    for target in range(probabilities.shape[1]):
        mine = surest_first[targets[surest_first] == target]
        is_hit = predicted[mine] == target
        for places in (mine[is_hit][:per_class], mine[~is_hit][:per_class]):
            chosen += [ChosenCase(int(p), target, int(predicted[p]), float(sure[p])) for p in places]
    return chosen
