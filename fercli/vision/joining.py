"""Join parts of a video that show the same person: those that look alike, unless seen together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class Joined:
    """The group of each part, from 0 in their order, and pairs of groups that may be one but are not joined."""

    groups: list[int]
    doubtful: list[tuple[int, int]]


def join_parts(
    likeness: Float[np.ndarray, "parts parts"],
    frames: Sequence[Collection[str]],
    may_join: Bool[np.ndarray, "parts parts"],
    *,
    least: float,
    lead: float,
) -> Joined:
    """Join the likest parts as long as any are like enough, and liker than anybody who is surely another person.

    Whoever is seen beside one of two parts is another person than that one; the other part must be less like him than
    it is like the first by `lead`.

    Args:
        likeness: of each two parts, symmetric; larger is liker, minus infinity where it is not known.
        frames: in which each part is seen.
        may_join: whether two parts may be joined for other reasons.
        least: likeness below which two are never joined.
        lead: see above.
    """
    members = [[part] for part in range(len(frames))]
    seen = [set(own) for own in frames]
    doubtful: set[tuple[int, int]] = set()
    while True:
        table = _between(likeness, members)
        apart = np.array([[not first.isdisjoint(second) for second in seen] for first in seen]).reshape(table.shape)
        allowed = np.array([[bool(may_join[np.ix_(a, b)].all()) for b in members] for a in members]).reshape(
            table.shape
        )
        pair = _best(np.where(apart | ~allowed, -np.inf, table), table, apart, least=least, lead=lead, passed=doubtful)
        if pair is None:
            break
        first, second = pair
        members[first] += members.pop(second)
        seen[first] |= seen.pop(second)
        doubtful = set()  # what was in doubt may be told by now
    groups = [0] * len(frames)
    for number, own in enumerate(members):
        for part in own:
            groups[part] = number
    return Joined(groups, sorted(doubtful))


def _between(likeness: np.ndarray, members: Sequence[Sequence[int]]) -> np.ndarray:
    """The likeness of groups: the mean of the better half of their parts' pairs."""
    table = np.full((len(members), len(members)), -np.inf)
    for first, own in enumerate(members):
        for second in range(first):
            values = np.sort(likeness[np.ix_(own, members[second])].ravel())[::-1]
            table[first, second] = table[second, first] = values[: -(-len(values) // 2)].mean()
    return table


def _best(
    open_: np.ndarray,
    table: np.ndarray,
    apart: np.ndarray,
    *,
    least: float,
    lead: float,
    passed: set[tuple[int, int]],
) -> tuple[int, int] | None:
    """The likest pair that may be joined; pairs that are like enough and not told from others go to `passed`."""
    rows, columns = np.nonzero(np.triu(open_ >= least, k=1))
    for place in np.argsort(-open_[rows, columns], kind="stable"):
        first, second = int(rows[place]), int(columns[place])
        beside = [table[second, other] for other in np.nonzero(apart[first])[0] if other not in (first, second)]
        beside += [table[first, other] for other in np.nonzero(apart[second])[0] if other not in (first, second)]
        if open_[first, second] - max(beside, default=-np.inf) >= lead:
            return first, second
        passed.add((first, second))
    return None
