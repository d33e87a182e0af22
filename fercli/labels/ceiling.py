"""People and a model held against the same votes: how often each meets what the other annotators said.

An annotator is never compared with a majority that contains his own vote: for each vote, the *rest* are the other votes
on the face (leave one annotator out), and the model's class for the face is held against the same rest. Two rules:

* `majority`: the rest are at least two votes and more than half of them are for one class; right is that class. Faces
  on which people disagree have no such majority, so both the human ceiling and the model's figure are of easier faces.
* `votes`: right is the share of the rest's votes for classes that are the same; no vote is left out for want of a
  majority. Nobody reaches 100 % where people disagree, but model and people are held against the same.

A vote for `unknown` or `nf` is wrong wherever the rest have a class: the annotator was asked and gave no class.
The model's accuracy is another figure: it is held against labels, in which every vote counts.

Source: the second, over all votes for classes, is the observed pairwise agreement of Fleiss, Psychological Bulletin 76,
1971, eq. 2, with each vote, not each face, weighing the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fercli.core.rows import Vote
from fercli.labels.agreement import Estimate, Units, estimate, number_units, ratio_of_sums
from fercli.labels.annotators import MIN_OTHERS
from fercli.labels.counts import VoteCodes, count_votes, encode_votes


@dataclass(frozen=True)
class Comparison:
    """People and model by one rule, on the same faces and votes.

    `difference` is model less people; `num_votes` have a rest to be compared with, and lie on `num_faces`.
    """

    human: Estimate
    model: Estimate
    difference: Estimate
    num_faces: int
    num_votes: int


def compare_with_people(
    votes: Sequence[Vote],
    classes: Sequence[str],
    predicted: Mapping[str, str],
    *,
    unit_name: str = "face",
    unit_of_face: dict[str, str] | None = None,
    seed: int | None = None,
) -> dict[str, Comparison]:
    """The comparison by the rule `majority` and by the rule `votes`; one that no vote allows is left out.

    Args:
        votes: one for each face and annotator; the adjudicator's do not count.
        classes: the project's.
        predicted: the model's class for each face; votes on other faces do not count.
        unit_name: what is resampled for intervals.
        unit_of_face: each face's unit; the face itself where None.
        seed: of the intervals; without it none are made.
    """
    codes = encode_votes([vote for vote in votes if vote.face_id in predicted], classes)
    if not len(codes.face):
        return {}
    places = {name: place for place, name in enumerate(codes.categories)}
    model = np.array([places[predicted[face]] for face in codes.face_ids], np.int64)[codes.face]
    found = {}
    for name, rule in (("majority", _by_majority), ("votes", _by_votes)):
        human, machine, weight = rule(codes, model)
        if not weight.any():
            continue
        units = number_units([codes.face_ids[place] for place in codes.face.tolist()], unit_name, unit_of_face)
        num_faces = len(np.unique(codes.face[weight > 0]))
        # One seed for all: the three see the same resamples.
        found[name] = Comparison(
            _estimate(human, weight, units, seed),
            _estimate(machine, weight, units, seed),
            _estimate(machine - human, weight, units, seed),
            num_faces,
            int((weight > 0).sum()),
        )
    return found


_Rights = tuple[Float[np.ndarray, " votes"], Float[np.ndarray, " votes"], Float[np.ndarray, " votes"]]


def _rest_of(codes: VoteCodes) -> np.ndarray:
    """For each vote the counts of the other votes on its face, "votes categories"."""
    rest = count_votes(codes)[codes.face]
    rest[np.arange(len(rest)), codes.category] -= 1
    return np.asarray(rest)


def _by_majority(codes: VoteCodes, model: np.ndarray) -> _Rights:
    """Whether the annotator, and the model, say the rest's strict majority; whether there is one (0 or 1 each)."""
    rest = _rest_of(codes)
    total, winner = rest.sum(1), rest.argmax(1)
    has_one = (total >= MIN_OTHERS) & (rest.max(1) > total / 2) & (winner < codes.num_classes)
    human, machine = (has_one & (winner == said) for said in (codes.category, model))
    return human.astype(np.float64), machine.astype(np.float64), has_one.astype(np.float64)


def _by_votes(codes: VoteCodes, model: np.ndarray) -> _Rights:
    """The share of the rest's votes for classes that the annotator, and the model, share; whether there are any."""
    rest = _rest_of(codes)
    rest[:, codes.num_classes :] = 0
    total, rows = rest.sum(1), np.arange(len(rest))
    human, machine = (rest[rows, said] / np.maximum(total, 1) for said in (codes.category, model))
    return human, machine, (total > 0).astype(np.float64)


def _estimate(right: np.ndarray, weight: np.ndarray, units: Units, seed: int | None) -> Estimate:
    rng = None if seed is None else np.random.default_rng(seed)
    return estimate(np.column_stack([right, weight]), np.asarray, ratio_of_sums, units, rng=rng)
