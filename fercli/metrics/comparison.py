"""Compare predictions of two models on the same faces: differences, intervals, tests, and a correction for many.

What is resampled, or exchanged, is the subject, else the video, else the face (`intervals.units_of`): faces of one
person are no independent witnesses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np
from jaxtyping import Float64, Integer

from fercli.core.rows import MIN_UNITS
from fercli.metrics.intervals import LEVEL, NUM_DRAWS, UnitKind
from fercli.metrics.scores import SCORES, Score

# Up to so many ways of exchanging, all are looked at; beyond, so many are drawn.
NUM_EXCHANGES = 10_000
# Differences of shares that are equal on paper may differ in their last digits.
_ROUNDING = 1e-12
_CELLS_AT_ONCE = 8_000_000


@dataclass(frozen=True)
class Difference:
    """How much better one model is than another by one score.

    Attributes:
        value: score of the model minus score of the other.
        low: of the paired bootstrap's percentile interval; None with too few units, as `high` and `p`.
        high: likewise.
        p: of the two-sided test that the two models are exchangeable.
        test: its name; empty without one.
        reason: why there is neither an interval nor a test.
    """

    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    test: str = ""
    reason: str = ""


def compare_matrices(
    ours: Integer[np.ndarray, "units classes classes"],
    theirs: Integer[np.ndarray, "units classes classes"],
    *,
    kind: UnitKind,
    generator: np.random.Generator,
    scores: Mapping[str, Score] = SCORES,
) -> dict[str, Difference]:
    """Each score's difference between two models, from their confusion matrices of each unit.

    The interval is a percentile bootstrap over units, both models seeing the same resamples. The test exchanges the two
    models within units chosen by a coin (for accuracy that is the sign-flip test over units): all ways where there are
    few, else drawn ones. Where each face is its own unit, accuracy is tested by McNemar's exact test.

    Args:
        ours: rows true; of the model.
        theirs: of the other, unit by unit over the same faces.
        kind: what a unit is.
        generator: of resamples and exchanges.
        scores: by name.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; Noreen, Computer-Intensive
    Methods for Testing Hypotheses, 1989 (approximate randomisation); McNemar, Psychometrika 12, 1947.
    """
    whole = {name: _gap(score, ours.sum(0), theirs.sum(0)) for name, score in scores.items()}
    num_units = len(ours)
    if num_units < MIN_UNITS:
        reason = f"only {num_units} {kind}{'' if num_units == 1 else 's'}; at least {MIN_UNITS} are needed"
        return {name: Difference(float(gap), reason=reason) for name, gap in whole.items()}
    kinds, counts = _kinds(ours, theirs)
    drawn = _resamples(counts, generator)
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    tests = exchange_tests(ours, theirs, generator=generator, scores=scores)
    found = {}
    for name, score in scores.items():
        low, high = np.nanquantile(_gap(score, *_sums(drawn, kinds)), ends)
        p, test = tests[name], f"{'sign flips' if name == 'accuracy' else 'exchange'} over {kind}s"
        if name == "accuracy" and kind == "face":
            p, test = mcnemar(*_discordant(ours, theirs)), "McNemar's exact test"
        found[name] = Difference(float(whole[name]), float(low), float(high), p, test)
    return found


def exchange_tests(
    ours: Integer[np.ndarray, "units classes classes"],
    theirs: Integer[np.ndarray, "units classes classes"],
    *,
    generator: np.random.Generator,
    scores: Mapping[str, Score] = SCORES,
) -> dict[str, float]:
    """Two-sided p of each score's difference when models may be exchanged within any unit.

    With at most `NUM_EXCHANGES` ways of exchanging units that differ, all are looked at and p is exact; else so many
    are drawn, and the observed one counts among them.

    Source: Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 2005, section 3.2; Phipson and Smyth,
    Statistical Applications in Genetics and Molecular Biology 9, 2010 (the observed one counts).
    """
    gaps = ours.astype(np.int64) - theirs
    gaps = gaps[gaps.any((1, 2))]
    is_exact = len(gaps) < np.log2(NUM_EXCHANGES)
    moved = _all_exchanges(gaps) if is_exact else _drawn_exchanges(gaps, generator)
    found = {}
    for name, score in scores.items():
        observed = abs(_gap(score, ours.sum(0), theirs.sum(0)))
        with_ours = score(ours.sum(0) - moved)
        as_large = np.abs(with_ours - score(theirs.sum(0) + moved)) >= observed - _ROUNDING
        found[name] = float(as_large.mean() if is_exact else (as_large.sum() + 1) / (len(moved) + 1))
    return found


def mcnemar(num_ours: int, num_theirs: int) -> float:
    """Two-sided exact p of McNemar's test: faces that only one model gets right are a coin's heads and tails.

    Args:
        num_ours: faces that only the one model gets right.
        num_theirs: faces that only the other gets right.

    Source: McNemar, Psychometrika 12, 1947; the exact binomial form of Fay, The R Journal 2, 2010.
    """
    num = num_ours + num_theirs
    term, total = 1, 0
    for place in range(min(num_ours, num_theirs) + 1):
        total += term
        term = term * (num - place) // (place + 1)
    return min(1.0, float(Fraction(2 * total, 2**num)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p-values corrected for how many there are; None stays None and does not count.

    Source: Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    places = sorted(
        (place for place, p in enumerate(p_values) if p is not None), key=lambda place: p_values[place] or 0
    )
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(places):
        largest = max(largest, min(1.0, (len(places) - rank) * (p_values[place] or 0.0)))
        corrected[place] = largest
    return corrected


def _gap(
    score: Score,
    ours: Integer[np.ndarray, "*draws classes classes"],
    theirs: Integer[np.ndarray, "*draws classes classes"],
) -> Float64[np.ndarray, "*draws"]:
    return np.asarray(score(ours) - score(theirs))


def _discordant(ours: np.ndarray, theirs: np.ndarray) -> tuple[int, int]:
    """Faces, each a unit, that only the one model and only the other gets right."""
    right = [np.trace(matrices, axis1=1, axis2=2) for matrices in (ours, theirs)]
    return int((right[0] > right[1]).sum()), int((right[1] > right[0]).sum())


def _kinds(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different pairs of matrices, "kinds 2 classes classes", and how many units have each.

    Units of one kind are interchangeable, so drawing how many of each kind is the same draw: tens of thousands of
    faces, each a unit, are at most classes cubed kinds.
    """
    pairs = np.stack([ours, theirs], axis=1)
    kinds, counts = np.unique(pairs.reshape(len(pairs), -1), axis=0, return_counts=True)
    return kinds.reshape(len(kinds), *pairs.shape[1:]), counts


def _resamples(counts: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """How many units of each kind are in each resample."""
    num_units, at_once = int(counts.sum()), max(1, _CELLS_AT_ONCE // len(counts))
    parts = [
        generator.multinomial(num_units, counts / num_units, size=min(at_once, NUM_DRAWS - start))
        for start in range(0, NUM_DRAWS, at_once)
    ]
    return np.concatenate(parts)


def _sums(drawn: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both models' confusion matrices of each resample."""
    sums = (drawn @ kinds.reshape(len(kinds), -1)).reshape(len(drawn), *kinds.shape[1:])
    return sums[:, 0], sums[:, 1]


def _all_exchanges(gaps: np.ndarray) -> np.ndarray:
    """For each way of exchanging units, what goes over from the one model to the other."""
    ways = np.array(list(product((0, 1), repeat=len(gaps))), np.int64).reshape(2 ** len(gaps), len(gaps))
    moved: np.ndarray = np.tensordot(ways, gaps, axes=1)
    return moved


def _drawn_exchanges(gaps: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The same for drawn ways; of units that are alike it is drawn how many are exchanged."""
    kinds, counts = np.unique(gaps.reshape(len(gaps), -1), axis=0, return_counts=True)
    drawn = generator.binomial(counts, 0.5, size=(NUM_EXCHANGES, len(counts)))
    moved: np.ndarray = (drawn @ kinds).reshape(NUM_EXCHANGES, *gaps.shape[1:])
    return moved
