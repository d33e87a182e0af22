"""Accuracy, balanced accuracy, macro-F1 and per-class results from confusion matrices.

Everything is computed from confusion matrices, with any number of leading axes, so that a score and the bootstrap draws
behind its interval come from one formula; the tests hold it against scikit-learn's, whose functions take one set of
predictions at a time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Integer
from numpy.typing import ArrayLike

from fercli.core.words import counted

Score = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class ClassScores:
    """One class's figures; `precision` is None when it was never predicted, `recall` and `f1` when no face has it."""

    emotion: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    num_predicted: int


@dataclass(frozen=True)
class Scores:
    """What one confusion matrix says; `absent` are the classes that no face has, left out of the means."""

    num_faces: int
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    per_class: tuple[ClassScores, ...]
    absent: tuple[str, ...]


def accuracy(
    matrices: Integer[np.ndarray, "*draws classes classes"],
) -> Float64[np.ndarray, "*draws"]:
    """Share of faces on the diagonal; NaN without faces."""
    return _share(_hits(matrices).sum(-1), matrices.sum((-2, -1)))


def balanced_accuracy(
    matrices: Integer[np.ndarray, "*draws classes classes"],
) -> Float64[np.ndarray, "*draws"]:
    """Mean recall over the classes that occur among the true ones (UAR in papers); NaN without faces."""
    support = matrices.sum(-1)
    return _mean_over(_share(_hits(matrices), support), support > 0)


def macro_f1(
    matrices: Integer[np.ndarray, "*draws classes classes"],
) -> Float64[np.ndarray, "*draws"]:
    """Mean F1 over the classes that occur among the true ones; one that is never predicted counts 0.

    A class that is predicted but never true lowers the recall of the others and has no F1 of its own here;
    scikit-learn's default averages it in as 0.
    """
    support = matrices.sum(-1)
    return _mean_over(_share(2 * _hits(matrices), support + matrices.sum(-2)), support > 0)


SCORES: dict[str, Score] = {"accuracy": accuracy, "balanced_accuracy": balanced_accuracy, "macro_f1": macro_f1}


def scores_of(matrix: Integer[np.ndarray, "classes classes"], emotions: Sequence[str]) -> Scores:
    """All scores of one confusion matrix whose classes are `emotions`.

    Raises:
        ValueError: the matrix has no faces or another number of classes.
    """
    if len(matrix) != len(emotions):
        raise ValueError(f"{counted(len(matrix), 'class', 'classes')} in the matrix, {counted(len(emotions), 'name')}")
    if not matrix.any():
        raise ValueError("there is no face to score")
    per_class = tuple(_class_scores(matrix, place, emotion) for place, emotion in enumerate(emotions))
    return Scores(
        num_faces=int(matrix.sum()),
        accuracy=float(accuracy(matrix)),
        balanced_accuracy=float(balanced_accuracy(matrix)),
        macro_f1=float(macro_f1(matrix)),
        per_class=per_class,
        absent=tuple(scores.emotion for scores in per_class if scores.support == 0),
    )


def _class_scores(matrix: np.ndarray, place: int, emotion: str) -> ClassScores:
    hits, support, num_predicted = int(matrix[place, place]), int(matrix[place].sum()), int(matrix[:, place].sum())
    return ClassScores(
        emotion=emotion,
        precision=hits / num_predicted if num_predicted else None,
        recall=hits / support if support else None,
        f1=2 * hits / (support + num_predicted) if support else None,
        support=support,
        num_predicted=num_predicted,
    )


def _hits(matrices: np.ndarray) -> np.ndarray:
    return np.diagonal(matrices, axis1=-2, axis2=-1)


def _share(part: ArrayLike, whole: ArrayLike) -> np.ndarray:
    """Give part / whole; NaN where whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)


def _mean_over(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Mean along the last axis of the values that are counted; NaN where none is."""
    return _share(np.where(counted, values, 0).sum(-1), counted.sum(-1))
