"""Aggregate votes into one label per face: by majority, FERPlus' rule, weighted votes or Dawid-Skene."""

from collections.abc import Sequence
from typing import Literal, cast

import numpy as np

from fercli.core.emotions import NO_CLASS, UNKNOWN
from fercli.core.errors import CheckError, InputError
from fercli.core.rows import Label, LabelStatus, Vote
from fercli.core.words import counted
from fercli.labels.counts import VoteCodes, count_votes, encode_votes, entropy_bits
from fercli.labels.crowd import dawid_skene, weigh_annotators
from fercli.labels.formats.rawvotes import is_ballot, listed
from fercli.labels.rules import (
    NO_MAJORITY,
    OK,
    STATUS_NAMES,
    TIE,
    TOO_FEW,
    Verdicts,
    ferplus_verdicts,
    majority_verdicts,
)

VoteMethod = Literal["majority", "ferplus", "weighted", "dawid-skene"]
TieRule = Literal["unknown", "drop", "soft", "error"]
# What the column `rule` ends with where a face without winner still teaches by the shares of its votes.
SOFT_MARK = "+soft"


def aggregate_votes(
    votes: Sequence[Vote],
    classes: Sequence[str],
    *,
    method: VoteMethod = "majority",
    min_votes: int = 2,
    min_agreement: float = 0.5,
    tie: TieRule = "unknown",
) -> list[Label]:
    """Decide the label of each face, sorted by face.

    `probabilities` are the shares of the classes among a face's votes (FERPlus: what its rule leaves; weighted: of the
    weight; Dawid-Skene: the posterior). A vote of the adjudicator decides alone. A face with only that counts no votes.

    Args:
        votes: one for each face and annotator.
        classes: the project's, in order.
        method: how votes become a winner.
        min_votes: fewer than these on a face give no label.
        min_agreement: lower bound on the winner's share, beside "more than half"; not used by FERPlus' rule.
        tie: what happens to a face whose votes are tied or have no majority: kept without label, dropped from the
            result, kept for soft targets (the rule is then marked "+soft"), or an error.

    Raises:
        CheckError: `tie` is "error", and there is such a face.
        InputError: a method that needs persons, on anonymous counts, or a vote for what is no class.
    """
    codes = encode_votes(votes, classes)
    verdicts = _verdicts(codes, method, min_votes, min_agreement)
    is_open = np.isin(verdicts.status, (TIE, NO_MAJORITY))
    is_open &= ~np.array([face_id in codes.final for face_id in codes.face_ids], dtype=bool)
    if tie == "error" and is_open.any():
        names = [codes.face_ids[place] for place in np.flatnonzero(is_open)]
        hint = "Resolve them with an adjudicator (fer labels export --only ties), or use another --tie."
        raise CheckError(
            f"{counted(len(names), 'face has', 'faces have')} no majority label: {listed(names)}", hint=hint
        )
    labels = _labels(codes, verdicts, method, is_open if tie == "soft" else np.zeros_like(is_open))
    if tie == "drop":
        return [label for label, is_dropped in zip(labels, is_open.tolist(), strict=True) if not is_dropped]
    return labels


def _verdicts(codes: VoteCodes, method: VoteMethod, min_votes: int, min_agreement: float) -> Verdicts:
    counts = count_votes(codes)
    if method == "ferplus":
        return ferplus_verdicts(counts, min_votes=min_votes, num_classes=codes.num_classes)
    if method == "majority":
        weights = counts
    else:
        _check_persons(codes, method)
        weights = (weigh_annotators if method == "weighted" else dawid_skene)(codes).shares
    return majority_verdicts(
        weights,
        min_votes=min_votes,
        min_agreement=min_agreement,
        num_classes=codes.num_classes,
        num_votes=counts.sum(axis=1),
    )


def _check_persons(codes: VoteCodes, method: str) -> None:
    if any(is_ballot(annotator) for annotator in codes.annotators):
        raise InputError(
            f"method '{method}' needs to know the annotators, but these votes are anonymous counts",
            hint="Use --method majority or ferplus.",
        )


def _labels(codes: VoteCodes, verdicts: Verdicts, method: VoteMethod, is_soft: np.ndarray) -> list[Label]:
    counts = count_votes(codes)
    num_votes = counts.sum(axis=1)
    shares = counts / np.maximum(num_votes, 1.0)[:, None]
    agreement, entropy = shares.max(axis=1).tolist(), entropy_bits(shares).tolist()
    classes = codes.categories[: codes.num_classes]
    columns = zip(
        codes.face_ids,
        verdicts.winner.tolist(),
        verdicts.status.tolist(),
        num_votes.astype(int).tolist(),
        agreement,
        entropy,
        verdicts.probabilities.tolist(),
        is_soft.tolist(),
        strict=True,
    )
    labels = []
    for face_id, winner, status, number, share, bits, row, soft in columns:
        name, word = (codes.categories[winner] if status == OK else ""), STATUS_NAMES[status]
        if face_id in codes.final:
            name, word = _final(codes.final[face_id])
        labels.append(
            Label(
                face_id,
                name,
                cast(LabelStatus, word),
                method + SOFT_MARK if soft else method,
                number,
                share if number else None,
                bits if number else None,
                dict(zip(classes, row, strict=True)),
            )
        )
    return labels


def _final(word: str) -> tuple[str, str]:
    return ("", UNKNOWN) if word in NO_CLASS else (word, "adjudicated")


def is_open(label: Label) -> bool:
    """Whether the annotators could not settle this face, so that an adjudicator may."""
    return label.status in (STATUS_NAMES[TIE], STATUS_NAMES[NO_MAJORITY])


def is_short(label: Label) -> bool:
    """Whether this face only lacks votes."""
    return label.status == STATUS_NAMES[TOO_FEW]
