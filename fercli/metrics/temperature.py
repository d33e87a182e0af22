"""Temperature scaling: one number, fitted on held-out faces, that makes a network less sure of itself, or surer.

Dividing the logits by T changes no predicted class. Tables hold probabilities; their logarithms are the logits up to a
constant that softmax removes, so nothing else is needed, and means over views or runs can be scaled alike.

Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2, eq. 9.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Integer
from scipy.optimize import brentq
from scipy.special import logsumexp
from scipy.stats import chi2

from fercli.metrics.calibration import LEAST_LIKELIHOOD
from fercli.metrics.intervals import Interval, Units, why_no_interval
from fercli.metrics.sums import interval_of_draws, resampled, sums_by_unit

# A fit that ends here has no best temperature: the likelihood still rises beyond.
LEAST, LARGEST = 0.05, 20.0
_NUM_KNOTS = 200
_HALF_CHI2 = float(chi2.ppf(0.95, 1)) / 2


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature: above 1 the network was too sure of itself, below 1 not sure enough.

    `value` has its interval over resampled units; `is_at_edge` says that it is a bound of the search, not an optimum.
    Between `likely_low` and `likely_high` lie the temperatures that a likelihood-ratio test at 5 % does not refuse. It
    takes faces for independent, so the real doubt is no smaller; both ends stay in the bounds of the search.
    """

    value: Interval
    num_faces: int
    is_at_edge: bool
    likely_low: float
    likely_high: float


def with_temperature(
    probabilities: Float[np.ndarray, "faces classes"], temperature: float
) -> Float64[np.ndarray, "faces classes"]:
    """Probabilities with their logits divided by `temperature`; rows sum to 1.

    A probability that the table's six digits call 0 is taken for half the last digit.
    """
    logits = _logits(probabilities) / temperature
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(shares / shares.sum(1, keepdims=True))


def fit_temperature(
    probabilities: Float[np.ndarray, "faces classes"],
    targets: Integer[np.ndarray, " faces"],
    units: Units,
    *,
    generator: np.random.Generator,
) -> Temperature:
    """The temperature between 0.05 and 20 that gives the targets the largest likelihood.

    The likelihood is concave in 1/T, so its slope has at most one zero. For the interval, slopes at 200 values of 1/T
    are added up over resampled units, and each zero is interpolated.

    Args:
        probabilities: rows sum to 1.
        targets: true classes, 0 to classes - 1.
        units: what is resampled.
        generator: gives the draws.

    Raises:
        ValueError: there is no face.
    """
    if not len(targets):
        raise ValueError("there is no face to fit a temperature on")
    logits = _logits(probabilities)
    sharpest, flattest = 1 / LEAST, 1 / LARGEST
    low, high = (float(_slopes(logits, targets, end).sum()) for end in (flattest, sharpest))
    # Where all slopes are 0 (every row uniform), any temperature is as good, and 1 changes nothing.
    is_flat = low == high == 0
    is_at_edge = not is_flat and (low <= 0 or high >= 0)
    if is_flat or is_at_edge:
        value = 1.0 if is_flat else LARGEST if low <= 0 else LEAST
    else:
        value = 1 / float(
            brentq(lambda sharpness: _slopes(logits, targets, sharpness).sum(), flattest, sharpest, xtol=1e-15)
        )
    interval = _interval(value, logits, targets, units, generator=generator)
    return Temperature(interval, len(targets), is_at_edge, *_likely(value, logits, targets))


def _logits(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.clip(probabilities.astype(np.float64), LEAST_LIKELIHOOD, None))


def _slopes(logits: np.ndarray, targets: np.ndarray, sharpness: float) -> np.ndarray:
    """How fast each face's log likelihood rises with 1/T: its true logit less the mean logit."""
    scaled = logits * sharpness
    shares = np.exp(scaled - scaled.max(1, keepdims=True))
    means = (shares * logits).sum(1) / shares.sum(1)
    return np.asarray(logits[np.arange(len(targets)), targets] - means)


def _likely(value: float, logits: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """The temperatures whose likelihood is at most half a chi-square quantile below that of `value`.

    Source: Wilks, Annals of Mathematical Statistics 9, 1938.
    """

    def spare(temperature: float) -> float:
        rows = logits / temperature
        return float((rows[np.arange(len(targets)), targets] - logsumexp(rows, axis=1)).sum()) + _HALF_CHI2 - best

    best = 0.0
    best = spare(value) - _HALF_CHI2
    low = LEAST if spare(LEAST) >= 0 else float(brentq(spare, LEAST, value))
    high = LARGEST if spare(LARGEST) >= 0 else float(brentq(spare, value, LARGEST))
    return low, high


def _interval(
    value: float, logits: np.ndarray, targets: np.ndarray, units: Units, *, generator: np.random.Generator
) -> Interval:
    num_units = len(units.names)
    if reason := why_no_interval(num_units, units.kind):
        return Interval(value, None, None, units.kind, num_units, reason)
    knots = np.geomspace(1 / LARGEST, 1 / LEAST, _NUM_KNOTS)
    slopes = np.stack([_slopes(logits, targets, knot) for knot in knots], axis=1)
    by_unit = sums_by_unit(slopes, units.index, num_units=num_units)
    draws = np.concatenate([_zeros(part, knots) for part in resampled(by_unit, generator)])
    return interval_of_draws(value, 1 / draws, units.kind, num_units)


def _zeros(slopes: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Where each row of falling slopes is 0; the end of the knots where it is nowhere."""
    above = (slopes > 0).sum(1)
    right = np.clip(above, 1, len(knots) - 1)
    rows = np.arange(len(slopes))
    first, second = slopes[rows, right - 1], slopes[rows, right]
    fall = first - second
    share = np.clip(np.divide(first, fall, out=np.zeros(len(rows)), where=fall > 0), 0, 1)
    between = knots[right - 1] + share * (knots[right] - knots[right - 1])
    return np.asarray(np.where(above == 0, knots[0], np.where(above == len(knots), knots[-1], between)))
