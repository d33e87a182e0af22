"""Annotator against annotator, and against the others' majority: Cohen's kappa and the human ceiling."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from fercli.core.rows import Vote
from fercli.labels.agreement import Estimate, estimate, number_units, ratio_of_sums
from fercli.labels.counts import VoteCodes, count_votes, encode_votes
from fercli.labels.formats.rawvotes import is_ballot

# A pair of annotators with fewer faces in common says nothing.
MIN_COMMON = 2
# Others whose majority an annotator is held against: one other alone would be a pair, not a majority.
MIN_OTHERS = 2


@dataclass(frozen=True)
class PairAgreement:
    """Cohen's kappa of two annotators over the faces that both judged; None where chance alone agrees fully."""

    first: str
    second: str
    num_common: int
    percent: float
    kappa: float | None


@dataclass(frozen=True)
class AnnotatorAgreement:
    """One annotator beside the others.

    Args:
        annotator: pseudonym.
        num_votes: on faces that have other votes or not.
        mean_kappa: mean of their pairs' kappa, weighted by faces in common.
        against_others: share of their votes that are the majority of the others; None where the others have none.
        num_against_others: faces where the others have one.
    """

    annotator: str
    num_votes: int
    mean_kappa: float | None
    against_others: float | None
    num_against_others: int


@dataclass(frozen=True)
class AnnotatorReport:
    """All pairs, all annotators, and the ceiling that people set.

    Args:
        pairs: empty for anonymous counts.
        annotators: empty for anonymous counts.
        mean_kappa: over pairs, weighted by faces in common.
        ceiling: share of votes that are the majority of the others: how often one person would be "right".
        ceiling_by_class: the same where the others' majority is that class.
        is_anonymous: the votes are counts, so that there are no persons to compare.
    """

    pairs: list[PairAgreement]
    annotators: list[AnnotatorAgreement]
    mean_kappa: float | None
    ceiling: Estimate
    ceiling_by_class: dict[str, float | None] = field(default_factory=dict)
    is_anonymous: bool = False


def compare_annotators(
    votes: Sequence[Vote],
    classes: Sequence[str],
    *,
    unit_name: str = "face",
    unit_of_face: dict[str, str] | None = None,
    rng: np.random.Generator | None = None,
) -> AnnotatorReport:
    """Hold every annotator against every other, and against the majority of the others.

    Args:
        votes: one for each face and annotator; the adjudicator's do not count.
        classes: the project's.
        unit_name: what is resampled for the ceiling's interval.
        unit_of_face: each face's unit; the face itself where None.
        rng: for the interval; without it none is made.
    """
    codes = encode_votes(votes, classes)
    is_anonymous = any(is_ballot(annotator) for annotator in codes.annotators)
    right, has_rest, rest_winner = _against_the_rest(codes)
    units = number_units([codes.face_ids[place] for place in codes.face.tolist()], unit_name, unit_of_face)
    ceiling = estimate(np.column_stack([right, has_rest]).astype(np.float64), _same, ratio_of_sums, units, rng=rng)
    by_class = {
        name: _share(right[rest_winner == place], has_rest[rest_winner == place])
        for place, name in enumerate(codes.categories[: codes.num_classes])
    }
    pairs = [] if is_anonymous else _all_pairs(codes)
    annotators = [] if is_anonymous else [
        _one_annotator(codes, place, pairs, right, has_rest=has_rest) for place in range(len(codes.annotators))
    ]  # fmt: skip
    return AnnotatorReport(pairs, annotators, _mean_kappa(pairs), ceiling, by_class, is_anonymous)


def human_ceiling(votes: Sequence[Vote], classes: Sequence[str]) -> float | None:
    """Share of votes that are the majority of the others on the face; None where no face has three votes.

    The others are at least two, more than half of them agree, and on a class: only then is there a right answer.
    """
    right, has_rest, _ = _against_the_rest(encode_votes(votes, classes))
    return _share(right, has_rest)


def cohen_kappa(table: Float[np.ndarray, "categories categories"]) -> float | None:
    """Cohen's kappa from the table of two annotators' categories; None where chance alone agrees fully.

    Source: Cohen, Educational and Psychological Measurement 20, 1960, eq. 1.
    """
    shares = table / max(float(table.sum()), 1.0)
    expected = float(shares.sum(axis=0) @ shares.sum(axis=1))
    return float((np.trace(shares) - expected) / (1 - expected)) if expected < 1 - 1e-12 else None


def _against_the_rest(
    codes: VoteCodes,
) -> tuple[Float[np.ndarray, " votes"], Float[np.ndarray, " votes"], Int[np.ndarray, " votes"]]:
    """For each vote: is it the others' majority, is there one, and which class (-1 where none)."""
    rest = count_votes(codes)[codes.face]
    rest[np.arange(len(rest)), codes.category] -= 1
    total, winner = rest.sum(axis=1), rest.argmax(axis=1)
    has_rest = (total >= MIN_OTHERS) & (rest.max(axis=1, initial=0) > total / 2) & (winner < codes.num_classes)
    right = has_rest & (winner == codes.category)
    return right.astype(np.float64), has_rest.astype(np.float64), np.where(has_rest, winner, -1)


def _all_pairs(codes: VoteCodes) -> list[PairAgreement]:
    said = np.full((len(codes.annotators), len(codes.face_ids)), -1, dtype=np.int16)
    said[codes.annotator, codes.face] = codes.category
    pairs = []
    for first in range(len(said)):
        for second in range(first + 1, len(said)):
            table = _pair_table(said[first], said[second], len(codes.categories))
            num_common = int(table.sum())
            if num_common >= MIN_COMMON:
                percent = float(np.trace(table) / num_common)
                names = codes.annotators[first], codes.annotators[second]
                pairs.append(PairAgreement(*names, num_common, percent, cohen_kappa(table)))
    return pairs


def _pair_table(first: np.ndarray, second: np.ndarray, num_categories: int) -> Float[np.ndarray, "first second"]:
    both = (first >= 0) & (second >= 0)
    flat = first[both].astype(np.int64) * num_categories + second[both]
    table = np.bincount(flat, minlength=num_categories**2).reshape(num_categories, num_categories)
    return table.astype(np.float64)


def _one_annotator(
    codes: VoteCodes, place: int, pairs: Sequence[PairAgreement], right: np.ndarray, *, has_rest: np.ndarray
) -> AnnotatorAgreement:
    name, own = codes.annotators[place], codes.annotator == place
    mine = [pair for pair in pairs if name in (pair.first, pair.second)]
    share = _share(right[own], has_rest[own])
    return AnnotatorAgreement(name, int(own.sum()), _mean_kappa(mine), share, int(has_rest[own].sum()))


def _mean_kappa(pairs: Sequence[PairAgreement]) -> float | None:
    known = [(pair.kappa, pair.num_common) for pair in pairs if pair.kappa is not None]
    weight = sum(number for _, number in known)
    return sum(kappa * number for kappa, number in known) / weight if weight else None


def _share(right: np.ndarray, has_rest: np.ndarray) -> float | None:
    return float(right.sum() / has_rest.sum()) if has_rest.sum() else None


def _same(data: Float[np.ndarray, "votes 2"]) -> Float[np.ndarray, "votes 2"]:
    return data
