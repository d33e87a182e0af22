"""Leave a model out where it is not sure: risk and coverage at each threshold, and a threshold for a wanted accuracy.

A face is *accepted* where the highest probability is at least the threshold; *coverage* is the share of faces that are,
*selective risk* the share of these that is wrong.

Sources: Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017, sections 2 and 3; the
area (AURC): Geifman, Uziel and El-Yaniv, Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Integer
from scipy.stats import beta

from fercli.metrics.intervals import Interval, Units
from fercli.metrics.sums import intervals_of_sums, ratio

# The bound of an accuracy holds with this chance.
BOUND_LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """One entry for each different confidence, the highest first: accepting from there on.

    `thresholds` 0 to 1; `coverage` in (0, 1], ends at 1; `risk` 0 to 1; `area`: mean over faces of the risk at their
    own confidence.
    """

    thresholds: Float64[np.ndarray, " points"]
    coverage: Float64[np.ndarray, " points"]
    risk: Float64[np.ndarray, " points"]
    area: float


@dataclass(frozen=True)
class Threshold:
    """A threshold chosen on held-out faces for a wanted accuracy.

    `value` is None where no threshold reaches it; then the others tell of the most accurate one. `bound`: with a
    chance of 95 % the accuracy is above, if faces were independent (Clopper and Pearson, Biometrika 26, 1934).
    """

    target: float
    value: float | None
    accuracy: float
    coverage: float
    num_accepted: int
    num_faces: int
    bound: float


@dataclass(frozen=True)
class Reached:
    """What a threshold does on other faces: `accuracy` is None where it accepts none."""

    num_accepted: int
    coverage: Interval
    accuracy: Interval | None


def risk_coverage(
    probabilities: Float[np.ndarray, "faces classes"], targets: Integer[np.ndarray, " faces"]
) -> RiskCoverage:
    """The curve of these faces; faces of one confidence are accepted together.

    Raises:
        ValueError: there is no face.
    """
    if not len(targets):
        raise ValueError("there is no face to score")
    sure = probabilities.max(1).astype(np.float64)
    wrong = probabilities.argmax(1) != targets
    order = np.argsort(-sure, kind="stable")
    accepted = np.arange(1, len(sure) + 1)
    is_last = np.append(np.diff(sure[order]) != 0, True)
    risks = np.cumsum(wrong[order])[is_last] / accepted[is_last]
    sizes = np.diff(accepted[is_last], prepend=0)
    area = float((risks * sizes).sum() / len(sure))
    return RiskCoverage(sure[order][is_last], accepted[is_last] / len(sure), risks, area)


def choose_threshold(curve: RiskCoverage, target: float, num_faces: int) -> Threshold:
    """The threshold that accepts most faces with an accuracy of at least `target` among the accepted.

    Args:
        curve: of the faces that it is chosen on.
        target: accuracy, 0 to 1.
        num_faces: of the curve.
    """
    accuracy = 1 - curve.risk
    # 1 - 1/10 is below 0.9 in floats.
    reaching = np.flatnonzero(accuracy >= target - 1e-12)
    # Of equally accurate ones the last accepts most.
    place = int(reaching[-1]) if len(reaching) else int(np.flatnonzero(accuracy == accuracy.max())[-1])
    num_accepted = round(float(curve.coverage[place]) * num_faces)
    num_right = round(float(accuracy[place]) * num_accepted)
    bound = float(beta.ppf(1 - BOUND_LEVEL, num_right, num_accepted - num_right + 1)) if num_right else 0.0
    return Threshold(
        target,
        float(curve.thresholds[place]) if len(reaching) else None,
        float(accuracy[place]),
        float(curve.coverage[place]),
        num_accepted,
        num_faces,
        bound,
    )


def reached(
    probabilities: Float[np.ndarray, "faces classes"],
    targets: Integer[np.ndarray, " faces"],
    threshold: float,
    units: Units,
    *,
    generator: np.random.Generator,
) -> Reached:
    """Coverage and accuracy of a threshold that was chosen elsewhere, with intervals over resampled units."""
    accepted = probabilities.max(1).astype(np.float64) >= threshold
    right = accepted & (probabilities.argmax(1) == targets)
    columns = np.stack([np.ones(len(targets)), accepted, right], axis=1).astype(np.float64)
    statistics = {"coverage": ratio(1, 0), "accuracy": ratio(2, 1)}
    found = intervals_of_sums(columns, statistics, units, generator=generator)
    num_accepted = int(accepted.sum())
    return Reached(num_accepted, found["coverage"], found["accuracy"] if num_accepted else None)
