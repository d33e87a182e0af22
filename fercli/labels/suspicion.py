"""Find labels that are probably wrong, by confident learning on out-of-sample predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Suspicion:
    """One label in doubt.

    Attributes:
        place: of the face among those given.
        better: the class that the model holds for the right one, by its place.
        margin: how much more probable that class is than the label.
    """

    place: int
    better: int
    margin: float


def suspicious_labels(
    probabilities: Float[np.ndarray, "faces classes"], labels: Int[np.ndarray, " faces"]
) -> list[Suspicion]:
    """The faces that the model confidently holds for another class than their label, the clearest first.

    A class is held confidently when its probability is at least the mean that the faces with that label get; so a
    model that is always sure of one class, or never of another, does not mislead.

    Args:
        probabilities: of faces that the model has not been trained on.
        labels: the classes' places.

    Source: Northcutt, Jiang and Chuang, JAIR 70, 2021, section 3.1 (confident joint), ranked by normalised margin.
    """
    if not len(labels):
        return []
    num_classes = probabilities.shape[1]
    thresholds = np.array(
        [
            probabilities[labels == place, place].mean() if (labels == place).any() else np.inf
            for place in range(num_classes)
        ]
    )
    # As above, a class without faces is never held confidently.
    confident = np.where(probabilities >= thresholds - 1e-12, probabilities, -1.0)
    better = confident.argmax(axis=1)
    rows = np.arange(len(labels))
    margin = probabilities[rows, better] - probabilities[rows, labels]
    doubted = rows[(confident.max(axis=1) >= 0) & (better != labels) & (margin > 0)]
    order = sorted(doubted.tolist(), key=lambda place: (-margin[place], place))
    return [Suspicion(place, int(better[place]), float(margin[place])) for place in order]


def confusion(rows: Sequence[str], columns: Sequence[str], classes: Sequence[str]) -> list[list[int]]:
    """How often each class of `rows` meets each class of `columns`; other words do not count."""
    places = {name: place for place, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    for row, column in zip(rows, columns, strict=True):
        if row in places and column in places:
            counts[places[row], places[column]] += 1
    found: list[list[int]] = counts.tolist()
    return found
