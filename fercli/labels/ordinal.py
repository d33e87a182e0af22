"""Agreement of annotators on classes that have an order: a vote next to another is less of a disagreement than one far.

Classes are numbered 0, 1, 2, ... in their order. Weighted kappa, interval alpha and the intraclass correlations take
the steps between neighbours for equal; ordinal alpha takes only the order. Votes for `unknown`, `nf` and for classes
without a place in the order are left out, and counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from fercli.core.rows import Vote
from fercli.labels.agreement import Estimate, Units, estimate, number_units
from fercli.labels.annotators import MIN_COMMON
from fercli.labels.counts import encode_votes
from fercli.labels.formats.rawvotes import is_ballot

Weights = Literal["linear", "quadratic"]
Level = Literal["ordinal", "interval"]


@dataclass(frozen=True)
class OrdinalAgreement:
    """Agreement on ordered classes; a coefficient that is not defined, or needs persons, has no value.

    Args:
        num_votes: in the order, on faces with two or more of them.
        num_left_out: votes for `unknown`, `nf` and for classes that are not in the order.
        num_complete: faces that every annotator voted on, of which `icc2` and `icc3` are.
        num_annotators: who voted for a class of the order; 0 for anonymous counts.
        kappas: mean weighted kappa over pairs of annotators, weighted by faces in common.
        alphas: Krippendorff's alpha.
        icc1: one-way, single vote: each face may have other annotators, and another number of them.
        icc2: two-way random, absolute agreement, single vote.
        icc3: two-way mixed, consistency, single vote: an annotator who is always a step higher does no harm.
    """

    num_votes: int
    num_left_out: int
    num_complete: int
    num_annotators: int
    kappas: dict[Weights, float | None]
    alphas: dict[Level, Estimate]
    icc1: Estimate
    icc2: float | None
    icc3: float | None


def measure_ordinal(
    votes: Sequence[Vote],
    classes: Sequence[str],
    order: Sequence[str],
    *,
    unit_name: str = "face",
    unit_of_face: dict[str, str] | None = None,
    seed: int | None = None,
) -> OrdinalAgreement:
    """Measure agreement of the votes for the classes of `order`, lowest first.

    Args:
        votes: one for each face and annotator; the adjudicator's do not count.
        classes: the project's.
        order: some or all of them.
        unit_name: what is resampled: subject, video or face.
        unit_of_face: each face's unit; the face itself where None.
        seed: of the intervals; without it none are made.
    """
    ratings, faces, num_left_out, is_anonymous = _ratings(votes, classes, order)
    counts = np.stack([(ratings == place).sum(1) for place in range(len(order))], axis=1).astype(np.float64)
    is_judged_twice = counts.sum(1) >= 2
    ratings, counts = ratings[is_judged_twice], counts[is_judged_twice]
    kept = [face for face, keep in zip(faces, is_judged_twice.tolist(), strict=True) if keep]
    units = number_units(kept, unit_name, unit_of_face)
    complete = ratings[~np.isnan(ratings).any(1)]
    return OrdinalAgreement(
        int(counts.sum()),
        num_left_out,
        0 if is_anonymous else len(complete),
        0 if is_anonymous else ratings.shape[1],
        {weights: None if is_anonymous else mean_weighted_kappa(ratings, len(order), weights) for weights in _WEIGHTS},
        {level: _alpha_estimate(counts, level, units, seed) for level in _LEVELS},
        estimate(counts, icc1_sums, icc1_of_sums, units, rng=_generator(seed)),
        None if is_anonymous else icc2(complete),
        None if is_anonymous else icc3(complete),
    )


_WEIGHTS: tuple[Weights, ...] = ("linear", "quadratic")
_LEVELS: tuple[Level, ...] = ("ordinal", "interval")


def weighted_kappa(table: Float[np.ndarray, "classes classes"], weights: Weights) -> float | None:
    """Weighted kappa from the table of two annotators' classes; None where both always give one and the same class.

    Source: Cohen, Psychological Bulletin 70, 1968, with disagreement |i - j| (linear) or (i - j)^2 (quadratic).
    """
    places = np.arange(len(table))
    distance = np.abs(places[:, None] - places).astype(np.float64) ** (1 if weights == "linear" else 2)
    total = float(table.sum())
    if not total:
        return None
    expected = float((distance * np.outer(table.sum(1), table.sum(0))).sum()) / total
    return float(1 - (distance * table).sum() / expected) if expected > 0 else None


def mean_weighted_kappa(
    ratings: Float[np.ndarray, "faces annotators"], num_classes: int, weights: Weights
) -> float | None:
    """Mean over pairs of annotators, weighted by faces in common; pairs with fewer than two do not count.

    Args:
        ratings: class numbers, NaN where there is no vote.
        num_classes: in the order.
        weights: how disagreement grows with distance.
    """
    found = []
    for first in range(ratings.shape[1]):
        for second in range(first + 1, ratings.shape[1]):
            pair = ratings[:, [first, second]]
            pair = pair[~np.isnan(pair).any(1)].astype(np.int64)
            table = np.zeros((num_classes, num_classes))
            np.add.at(table, (pair[:, 0], pair[:, 1]), 1)
            kappa = weighted_kappa(table, weights)
            if len(pair) >= MIN_COMMON and kappa is not None:
                found.append((kappa, len(pair)))
    weight = sum(number for _, number in found)
    return sum(kappa * number for kappa, number in found) / weight if weight else None


def ordered_alpha(counts: Float[np.ndarray, "faces classes"], level: Level) -> float | None:
    """Krippendorff's alpha; faces with one vote do not count; None where only one class is used.

    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011 (its ordinal and interval differences).
    """
    return _alpha_of_sums(alpha_sums(counts).sum(0), level)


def alpha_sums(counts: Float[np.ndarray, "faces classes"]) -> Float[np.ndarray, "faces pairs"]:
    """For each face its coincidences: ordered pairs of votes of different annotators over (votes - 1), row by row."""
    number = counts.sum(1)
    pairs = counts[:, :, None] * counts[:, None, :]
    places = np.arange(counts.shape[1])
    pairs[:, places, places] -= counts
    share = np.where(number >= 2, 1 / np.maximum(number - 1, 1), 0.0)
    return np.asarray((pairs * share[:, None, None]).reshape(len(counts), counts.shape[1] ** 2))


def icc1_sums(counts: Float[np.ndarray, "faces classes"]) -> Float[np.ndarray, "faces 6"]:
    """For each face: 1, votes, votes squared, their sum, its square over the votes, the sum of squares."""
    values = np.arange(counts.shape[1])
    number, total, squares = counts.sum(1), counts @ values, counts @ values**2
    between = total**2 / np.maximum(number, 1)
    return np.column_stack([np.ones(len(counts)), number, number**2, total, between, squares])


def icc1_of_sums(sums: Float[np.ndarray, " 6"]) -> float | None:
    """ICC(1,1) from the columns of `icc1_sums`, added up; None where all votes are alike or none is a second one.

    Source: Shrout and Fleiss, Psychological Bulletin 86, 1979; for unequal numbers of votes k is their mean less
    variance over sum, as in a one-way analysis of variance (Donner, International Statistical Review 54, 1986).
    """
    faces, votes, squared, total, between, squares = sums.tolist()
    if faces < 2 or votes <= faces:
        return None
    ms_between = (between - total**2 / votes) / (faces - 1)
    ms_within = (squares - between) / (votes - faces)
    size = (votes - squared / votes) / (faces - 1)
    under = ms_between + (size - 1) * ms_within
    return float((ms_between - ms_within) / under) if under > 1e-12 else None


def icc2(ratings: Float[np.ndarray, "faces annotators"]) -> float | None:
    """ICC(2,1) of whole rows; None where it is not defined.

    Source: Shrout and Fleiss, Psychological Bulletin 86, 1979.
    """
    squares = _mean_squares(ratings)
    if squares is None:
        return None
    faces, annotators = ratings.shape
    between, columns, error = squares
    under = between + (annotators - 1) * error + annotators * (columns - error) / faces
    return float((between - error) / under) if abs(under) > 1e-12 else None


def icc3(ratings: Float[np.ndarray, "faces annotators"]) -> float | None:
    """ICC(3,1) of whole rows; None where it is not defined. Source: as `icc2`."""
    squares = _mean_squares(ratings)
    if squares is None:
        return None
    between, _, error = squares
    under = between + (ratings.shape[1] - 1) * error
    return float((between - error) / under) if abs(under) > 1e-12 else None


def _mean_squares(ratings: np.ndarray) -> tuple[float, float, float] | None:
    """Mean squares of faces, annotators and error of a two-way table without repetition."""
    faces, annotators = ratings.shape
    if faces < 2 or annotators < 2:
        return None
    mean = ratings.mean()
    of_face, of_annotator = ratings.mean(1), ratings.mean(0)
    between = annotators * float(((of_face - mean) ** 2).sum()) / (faces - 1)
    columns = faces * float(((of_annotator - mean) ** 2).sum()) / (annotators - 1)
    rest = ratings - of_face[:, None] - of_annotator + mean
    return between, columns, float((rest**2).sum()) / ((faces - 1) * (annotators - 1))


def _ratings(
    votes: Sequence[Vote], classes: Sequence[str], order: Sequence[str]
) -> tuple[np.ndarray, list[str], int, bool]:
    """Place of each annotator's vote for each face ("faces annotators", NaN: none), and what was left out."""
    codes = encode_votes(votes, classes)
    places = np.full(len(codes.categories), np.nan)
    for place, name in enumerate(order):
        places[codes.categories.index(name)] = place
    ratings = np.full((len(codes.face_ids), len(codes.annotators)), np.nan)
    ratings[codes.face, codes.annotator] = places[codes.category]
    num_left_out = int(np.isnan(places[codes.category]).sum())
    # Who gave no vote in the order is no annotator of it.
    ratings = ratings[:, ~np.isnan(ratings).all(0)]
    return ratings, codes.face_ids, num_left_out, any(is_ballot(name) for name in codes.annotators)


def _alpha_estimate(counts: np.ndarray, level: Level, units: Units, seed: int | None) -> Estimate:
    return estimate(counts, alpha_sums, lambda sums: _alpha_of_sums(sums, level), units, rng=_generator(seed))


def _alpha_of_sums(sums: np.ndarray, level: Level) -> float | None:
    size = round(len(sums) ** 0.5)
    coincidences = sums.reshape(size, size)
    number = coincidences.sum(1)
    total = float(number.sum())
    distance = _distances(number, level)
    expected = float((np.outer(number, number) * distance).sum())
    if expected <= 1e-9:
        return None
    return float(1 - (total - 1) * (coincidences * distance).sum() / expected)


def _distances(number: np.ndarray, level: Level) -> np.ndarray:
    """Squared distance of each two classes, given how many votes each has."""
    # A class lies in the middle of its own votes: from one middle to the other are half of both and all between.
    places = np.arange(len(number), dtype=np.float64) if level == "interval" else np.cumsum(number) - number / 2
    return np.asarray((places[:, None] - places) ** 2)


def _generator(seed: int | None) -> np.random.Generator | None:
    return None if seed is None else np.random.default_rng(seed)
