"""Measure calibration: the expected calibration error and the bins of a reliability diagram."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from fercli.metrics.intervals import Interval, Units
from fercli.metrics.sums import Statistic, intervals_of_sums, ratio

NUM_BINS = 15
# Tables hold probabilities to six digits: a smaller one reads 0, and would cost as much as all others together.
LEAST_LIKELIHOOD = 5e-7


@dataclass(frozen=True)
class Bin:
    """Faces whose highest probability lies in (`low`, `high`]; an empty bin has no `confidence` and `accuracy`."""

    low: float
    high: float
    num_faces: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """How far probabilities can be trusted.

    `ece`: expected calibration error; `brier`: mean squared distance to the one-hot truth; `nll`: mean -log p(true),
    p no smaller than half the last digit that tables hold.
    """

    ece: float
    brier: float
    nll: float
    bins: tuple[Bin, ...]


def calibration(
    probabilities: Float[np.ndarray, "faces classes"],
    targets: Integer[np.ndarray, " faces"],
    *,
    num_bins: int = NUM_BINS,
) -> Calibration:
    """Compare how sure the model was with how often it was right.

    Raises:
        ValueError: there is no face.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, eq. 3 (15 bins of equal width).
    """
    if not len(targets):
        raise ValueError("there is no face to score")
    sure = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == targets
    place = _places(sure, num_bins)
    bins = tuple(_bin(place == number, sure, right, number, num_bins=num_bins) for number in range(num_bins))
    gaps = [
        b.num_faces * abs(b.accuracy - b.confidence)
        for b in bins
        if b.accuracy is not None and b.confidence is not None
    ]
    brier, nll = _losses(probabilities, targets)
    return Calibration(
        ece=float(sum(gaps) / len(targets)),
        brier=float(brier.mean()),
        nll=float(nll.mean()),
        bins=bins,
    )


def calibration_intervals(
    probabilities: Float[np.ndarray, "faces classes"],
    targets: Integer[np.ndarray, " faces"],
    units: Units,
    *,
    generator: np.random.Generator,
    num_bins: int = NUM_BINS,
) -> dict[str, Interval]:
    """`ece`, `brier` and `nll` with their intervals over resampled units.

    The ECE of few faces is too large, above all where the model is calibrated well (Roelofs et al., Mitigating Bias in
    Calibration Error Estimation, AISTATS 2022), and a resample has fewer different faces than the set: the interval of
    the ECE lies too high, and may lie above the value.
    """
    brier, nll = _losses(probabilities, targets)
    sure = probabilities.max(1).astype(np.float64)
    gap = (probabilities.argmax(1) == targets) - sure
    bins = (np.arange(num_bins) == _places(sure, num_bins)[:, None]) * gap[:, None]
    columns = np.column_stack([np.ones(len(targets)), brier, nll, bins])
    statistics: dict[str, Statistic] = {
        # |accuracy - confidence| of a bin times its share of the faces is the sum of its gaps over all faces.
        "ece": lambda sums: np.abs(sums[..., 3:]).sum(-1) / sums[..., 0],
        "brier": ratio(1, 0),
        "nll": ratio(2, 0),
    }
    return intervals_of_sums(columns, statistics, units, generator=generator)


def _losses(probabilities: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Brier score and negative log likelihood of each face."""
    rows = np.arange(len(targets))
    truth = np.zeros(probabilities.shape)
    truth[rows, targets] = 1
    likelihood = np.clip(probabilities[rows, targets].astype(np.float64), LEAST_LIKELIHOOD, None)
    return ((probabilities - truth) ** 2).sum(1), -np.log(likelihood)


def _places(sure: np.ndarray, num_bins: int) -> np.ndarray:
    # The small step keeps a probability that rounding lifted a hair above an edge (0.2 = 3/15) in the bin below.
    return np.clip(np.ceil(sure * num_bins - 1e-9).astype(np.int64) - 1, 0, num_bins - 1)


def _bin(inside: np.ndarray, sure: np.ndarray, right: np.ndarray, number: int, *, num_bins: int) -> Bin:
    low, high, num_faces = number / num_bins, (number + 1) / num_bins, int(inside.sum())
    if not num_faces:
        return Bin(low, high, 0, None, None)
    return Bin(low, high, num_faces, float(sure[inside].mean()), float(right[inside].mean()))
