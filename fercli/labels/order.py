"""Order faces for one annotator: by chance, by the model's uncertainty or as filmed, some of them twice."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from fercli.core.rows import Vote

# Copy 1 is the first look at a face, copy 2 the second, of which the annotator is not told.
Item = tuple[str, Literal[1, 2]]
# So many other faces come between the two looks at one, where there are as many.
MIN_GAP = 20
# A face that comes later than this share of all is not shown again: the second look would come too soon.
_LAST_REPEATED = 0.8


def draw(seed: int, *words: str) -> float:
    """A number in [0, 1) for these words, the same on every machine."""
    text = "\n".join((str(seed), *words))
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest(), "big") / 2**64


def shuffled(face_ids: Iterable[str], *, seed: int, annotator: str) -> list[str]:
    """The faces in an order of the annotator's own, which faces that come later leave as it is."""
    return sorted(face_ids, key=lambda face_id: (draw(seed, annotator, face_id), face_id))


def with_repeats(face_ids: Sequence[str], share: float, *, seed: int, annotator: str) -> list[Item]:
    """The faces in their order, and a `share` of them once more, `MIN_GAP` faces later or more."""
    items: list[tuple[float, Item]] = [(float(place), (face_id, 1)) for place, face_id in enumerate(face_ids)]
    num_repeated = min(round(share * len(face_ids)), len(face_ids))
    if not num_repeated:
        return [item for _, item in items]
    early = face_ids[: max(1, int(_LAST_REPEATED * len(face_ids)))]
    drawn = sorted(range(len(early)), key=lambda place: draw(seed, annotator, early[place], "repeat"))[:num_repeated]
    for place in drawn:
        first = place + min(MIN_GAP, len(face_ids))
        later = draw(seed, annotator, face_ids[place], "place") * max(0, len(face_ids) - first)
        items.append((first + later + 0.5, (face_ids[place], 2)))
    return [item for _, item in sorted(items)]


def uncertain_first(
    probabilities: Mapping[str, Sequence[float]],
    groups: Mapping[str, str],
    *,
    num_labelled: Mapping[str, int] | None = None,
    measure: Literal["entropy", "margin"] = "entropy",
) -> list[str]:
    """Faces of which a model is least certain first, taking turns among the groups.

    The least certain face of each group comes before the second of any, so that forty frames of one pupil do not
    come in a row; a group that has labels already waits as many turns.

    Args:
        probabilities: of each face, one for each class.
        groups: of each face, its track; a face without one is its own.
        num_labelled: faces of each group that have labels.
        measure: entropy of all probabilities, or the lead of the first class over the second.
    """
    doubt = {face_id: (_entropy if measure == "entropy" else _closeness)(row) for face_id, row in probabilities.items()}
    turn = Counter(num_labelled or {})
    keys = {}
    for face_id in sorted(doubt, key=lambda face_id: (-doubt[face_id], face_id)):
        group = groups.get(face_id) or face_id
        keys[face_id] = (turn[group], -doubt[face_id], face_id)
        turn[group] += 1
    return sorted(keys, key=keys.__getitem__)


def chosen_by_doubt(votes: Iterable[Vote]) -> set[str]:
    """Faces that were voted on only because a model was uncertain of them: no sample of the others."""
    marked: set[str] = set()
    others: set[str] = set()
    for vote in votes:
        (marked if vote.chosen else others).add(vote.face_id)
    return marked - others


def _entropy(row: Sequence[float]) -> float:
    return -sum(share * math.log(share) for share in row if share > 0)


def _closeness(row: Sequence[float]) -> float:
    first, second = sorted(row, reverse=True)[:2]
    return second - first
