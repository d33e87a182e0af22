"""Decide the winning class from counts of votes: the majority rule, and FERPlus' own."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

OK, TIE, NO_MAJORITY, TOO_FEW, NO_CLASS_WON = 0, 1, 2, 3, 4
STATUS_NAMES = ("ok", "tie", "no_majority", "too_few", "unknown")


@dataclass(frozen=True)
class Verdicts:
    """For each face the best category, how it stands (index into STATUS_NAMES) and soft labels over the classes."""

    winner: Int[np.ndarray, " faces"]
    status: Int[np.ndarray, " faces"]
    probabilities: Float[np.ndarray, "faces classes"]


def majority_verdicts(
    counts: Float[np.ndarray, "faces categories"],
    *,
    min_votes: int,
    min_agreement: float,
    num_classes: int,
    num_votes: Float[np.ndarray, " faces"] | None = None,
) -> Verdicts:
    """A category wins with more than half of the votes on a face, and at least `min_agreement` of them.

    Below `min_votes` votes nobody wins (too few); several at the top are a tie; one at the top that is not above half
    is no majority. `unknown` and `nf` are votes, but no classes: where they win, nobody knows the label.

    Args:
        counts: votes or weights.
        min_votes: of distinct annotators.
        min_agreement: lower bound on the share of the winner.
        num_classes: the first columns of `counts`.
        num_votes: votes behind each row, where `counts` are weights.
    """
    total, top = counts.sum(axis=1), counts.max(axis=1)
    votes = total if num_votes is None else num_votes
    # Weights and posteriors are sums of floats: equal ones may differ in their last bits.
    slack = 1e-9 * np.maximum(total, 1.0)
    num_at_top = (counts >= (top - slack)[:, None]).sum(axis=1)
    has_majority = (top > total / 2 + slack) & (top >= min_agreement * total - slack)
    winner = counts.argmax(axis=1)
    status = np.select(
        [votes < max(min_votes, 1), num_at_top > 1, ~has_majority, winner >= num_classes],
        [TOO_FEW, TIE, NO_MAJORITY, NO_CLASS_WON],
        OK,
    )
    shares = counts / np.maximum(total, 1e-300)[:, None]
    return Verdicts(winner, status, shares[:, :num_classes])


def ferplus_verdicts(counts: Float[np.ndarray, "faces categories"], *, min_votes: int, num_classes: int) -> Verdicts:
    """FERPlus' majority: single votes are struck out, the largest must exceed half of what is left.

    A face where it does not is unknown, as one whose winner is `unknown` or `nf`. Soft labels are the shares of the
    classes in what is left, `unknown` and `nf` taken out.

    Source: Barsoum, Zhang, Canton Ferrer, Zhang, ICMI 2016, section 3, and the rule published with the votes.
    """
    left = np.where(counts > 1, counts, 0.0)
    total, top, winner = left.sum(axis=1), left.max(axis=1), left.argmax(axis=1)
    is_known = (top > total / 2) & (winner < num_classes)
    status = np.select([counts.sum(axis=1) < max(min_votes, 1), ~is_known], [TOO_FEW, NO_CLASS_WON], OK)
    in_classes = left[:, :num_classes]
    return Verdicts(winner, status, in_classes / np.maximum(in_classes.sum(axis=1), 1.0)[:, None])
