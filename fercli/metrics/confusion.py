"""Compute confusion matrices; rows are always true classes, columns predicted classes."""

from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64, Integer

Normalization = Literal["true", "pred", "none"]


def confusion_matrix(
    targets: Integer[np.ndarray, " faces"],
    predicted: Integer[np.ndarray, " faces"],
    num_classes: int,
) -> Int64[np.ndarray, "{num_classes} {num_classes}"]:
    """Count faces by true class (row) and predicted class (column).

    Raises:
        ValueError: a class index lies outside 0..num_classes-1.
    """
    whole = np.zeros(len(targets), np.int64)
    matrix: np.ndarray = confusion_by_unit(targets, predicted, whole, num_units=1, num_classes=num_classes).sum(0)
    return matrix


def confusion_by_unit(
    targets: Integer[np.ndarray, " faces"],
    predicted: Integer[np.ndarray, " faces"],
    units: Integer[np.ndarray, " faces"],
    *,
    num_units: int,
    num_classes: int,
) -> Int64[np.ndarray, "{num_units} {num_classes} {num_classes}"]:
    """One confusion matrix for each unit (a subject, a video, a picture); their sum is that of all faces.

    Raises:
        ValueError: as `confusion_matrix`.
    """
    for name, values, bound in (("target", targets, num_classes), ("predicted", predicted, num_classes)):
        if len(values) and not (values.min() >= 0 and values.max() < bound):
            raise ValueError(f"a {name} class lies outside 0..{bound - 1}")
    cells = (units.astype(np.int64) * num_classes + targets) * num_classes + predicted
    counts = np.bincount(cells, minlength=num_units * num_classes * num_classes)
    return counts.astype(np.int64).reshape(num_units, num_classes, num_classes)


def normalize_confusion(
    matrix: Integer[np.ndarray, "classes classes"],
    by: Normalization,
) -> Float64[np.ndarray, "classes classes"]:
    """Turn counts into shares: of each row (`true`), of each column (`pred`), or leave the counts (`none`).

    A row or column without any face stays zero.
    """
    counts = matrix.astype(np.float64)
    if by == "none":
        return counts
    totals = counts.sum(axis=1 if by == "true" else 0, keepdims=True)
    return counts / np.where(totals > 0, totals, 1)
