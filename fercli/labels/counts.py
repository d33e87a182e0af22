"""Count votes as a matrix of faces by categories: all that majority and most agreement coefficients need."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from fercli.core.emotions import NOT_A_FACE, UNKNOWN
from fercli.core.errors import InputError
from fercli.core.rows import Vote
from fercli.core.words import counted
from fercli.labels.importing import merge_votes
from fercli.labels.pseudonyms import ADJUDICATOR


@dataclass(frozen=True)
class VoteCodes:
    """Votes of annotators (without the adjudicator's) as indices into faces, annotators and categories.

    Categories are the classes in order, then `unknown` and `nf`.
    """

    face_ids: list[str]
    annotators: list[str]
    categories: tuple[str, ...]
    face: Int[np.ndarray, " votes"]
    annotator: Int[np.ndarray, " votes"]
    category: Int[np.ndarray, " votes"]
    final: dict[str, str]  # face id -> the adjudicator's word

    @property
    def num_classes(self) -> int:
        """How many categories are classes."""
        return len(self.categories) - 2


def encode_votes(votes: Sequence[Vote], classes: Sequence[str]) -> VoteCodes:
    """Number faces and annotators in sorted order; of several votes of one annotator on a face only the newest counts.

    Raises:
        InputError: a vote's label is neither a class nor `unknown` nor `nf`.
    """
    if len({(vote.face_id, vote.annotator) for vote in votes}) < len(votes):
        votes, _, _ = merge_votes((), votes)
    categories = (*classes, UNKNOWN, NOT_A_FACE)
    places = {name: place for place, name in enumerate(categories)}
    foreign = sorted({vote.label for vote in votes} - places.keys())
    if foreign:
        num_foreign = sum(vote.label in foreign for vote in votes)
        raise InputError(
            f"{counted(num_foreign, 'vote')} in votes.csv for unknown classes: {', '.join(foreign)}",
            hint="Put the class back into [project] classes of fer.toml, or fix those rows.",
        )
    final = {vote.face_id: vote.label for vote in votes if vote.annotator == ADJUDICATOR}
    given = [vote for vote in votes if vote.annotator != ADJUDICATOR] if final else votes
    face_ids = sorted({vote.face_id for vote in votes})
    annotators = sorted({vote.annotator for vote in given})
    face_places = {name: place for place, name in enumerate(face_ids)}
    annotator_places = {name: place for place, name in enumerate(annotators)}
    return VoteCodes(
        face_ids,
        annotators,
        categories,
        np.fromiter((face_places[vote.face_id] for vote in given), np.int64, len(given)),
        np.fromiter((annotator_places[vote.annotator] for vote in given), np.int64, len(given)),
        np.fromiter((places[vote.label] for vote in given), np.int64, len(given)),
        final,
    )


def count_votes(
    codes: VoteCodes, weights: Float[np.ndarray, " votes"] | None = None
) -> Float[np.ndarray, "faces categories"]:
    """How many votes (or how much weight) each face has in each category."""
    shape = len(codes.face_ids), len(codes.categories)
    flat = codes.face * shape[1] + codes.category
    return np.bincount(flat, weights, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)


def entropy_bits(shares: Float[np.ndarray, "faces categories"]) -> Float[np.ndarray, " faces"]:
    """Shannon entropy of each row of shares, in bits; 0 for a row of zeros."""
    logarithms = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(0.0 - (shares * logarithms).sum(axis=1))
