"""Distribute groups of unequal size and class mix over sets of given shares: a seeded greedy search with restarts."""

import numpy as np
from jaxtyping import Float, Int

# With few groups the order of the greedy choice decides, so many orders are tried; with many, one is as good.
MAX_STARTS = 100
WORK = 6_000
MAX_ROUNDS = 5
MANY_GROUPS = 2_000
# How much the number of groups counts beside the number of faces: enough that no part is one large group alone.
GROUP_WEIGHT = 0.5
# What a class missing from a part costs, beside its distance from the goal: a test set without it says nothing of it.
ABSENT_WEIGHT = 2.0


def allocate_groups(
    table: Float[np.ndarray, "groups classes"], shares: Float[np.ndarray, " parts"], rng: np.random.Generator
) -> Int[np.ndarray, " groups"]:
    """Give each group to a part, so that faces, classes and groups come near the shares and no part is empty.

    Args:
        table: faces of each group in each class.
        shares: of the parts, all positive, adding up to 1; not more parts than groups.
        rng: decides the order of equal groups and of the starts.
    """
    if table.sum(axis=1).max(initial=0) <= 1 and len(table) > MAX_STARTS:
        return _allocate_singles(table, shares, rng)
    goals = _Goals(table, shares)
    num_starts = int(np.clip(WORK // max(len(table) * len(shares), 1), 1, MAX_STARTS))
    best, best_cost = np.zeros(len(table), dtype=np.int64), np.inf
    for start in range(num_starts):
        chosen, cost = _improve(goals, _fill(goals, _order(table, rng, is_shuffled=start > 0)))
        if cost < best_cost - 1e-12:
            best, best_cost = chosen, cost
    return best


class _Goals:
    """What every part should hold: faces by class, all faces, and groups; and how far from it a holding is."""

    def __init__(self, table: np.ndarray, shares: np.ndarray) -> None:
        self.features = np.column_stack([table, table.sum(axis=1), np.ones(len(table))])
        self.of_parts = shares[:, None] * self.features.sum(axis=0)
        num_classes = max(int((table.sum(axis=0) > 0).sum()), 1)
        kinds = np.array([1 / num_classes] * table.shape[1] + [1.0, GROUP_WEIGHT])
        # Relative to the goal of each part, so that a small val counts as much as a large train.
        self._weights = kinds / np.maximum(self.of_parts, 1e-9)
        self._absent = np.array([ABSENT_WEIGHT / num_classes] * table.shape[1] + [0.0, 0.0])

    def costs(self, held: np.ndarray) -> np.ndarray:
        """The cost of each part's holding."""
        return np.asarray((np.abs(held - self.of_parts) * self._weights + (held < 0.5) * self._absent).sum(axis=1))


def _order(table: np.ndarray, rng: np.random.Generator, *, is_shuffled: bool) -> np.ndarray:
    order = rng.permutation(len(table))
    if is_shuffled:
        return order
    return order[np.argsort(-table.sum(axis=1)[order], kind="stable")]


def _fill(goals: _Goals, order: np.ndarray) -> np.ndarray:
    """Give each group in turn to the part that gains most by it; the last ones go to parts that are still empty."""
    num_parts = len(goals.of_parts)
    chosen = np.full(len(order), -1, dtype=np.int64)
    held = np.zeros_like(goals.of_parts)
    num_groups = np.zeros(num_parts, dtype=np.int64)
    for done, group in enumerate(order.tolist()):
        empty = np.flatnonzero(num_groups == 0)
        allowed = empty if len(order) - done <= len(empty) else np.arange(num_parts)
        gain = goals.costs(held) - goals.costs(held + goals.features[group])
        part = int(allowed[np.argmax(gain[allowed])])
        chosen[group] = part
        held[part] += goals.features[group]
        num_groups[part] += 1
    return chosen


def _improve(goals: _Goals, chosen: np.ndarray) -> tuple[np.ndarray, float]:
    """Move single groups while that lowers the cost; no part is emptied."""
    held = np.zeros_like(goals.of_parts)
    np.add.at(held, chosen, goals.features)
    num_groups = np.bincount(chosen, minlength=len(held))
    for _ in range(1 if len(chosen) > MANY_GROUPS else MAX_ROUNDS):
        has_moved = False
        for group, feature in enumerate(goals.features):
            home = int(chosen[group])
            part, gain = _best_move(goals, held, feature, home)
            if num_groups[home] > 1 and gain > 1e-9:
                held[home] -= feature
                held[part] += feature
                num_groups[home] -= 1
                num_groups[part] += 1
                chosen[group], has_moved = part, True
        if not has_moved:
            break
    return chosen, float(goals.costs(held).sum())


def _best_move(goals: _Goals, held: np.ndarray, feature: np.ndarray, home: int) -> tuple[int, float]:
    now, with_it, without = goals.costs(held), goals.costs(held + feature), goals.costs(held - feature)
    gain = (now[home] - without[home]) + (now - with_it)
    gain[home] = -np.inf
    part = int(np.argmax(gain))
    return part, float(gain[part])


def _allocate_singles(table: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Groups of one face: shuffle each class and cut it by the shares; what rounding leaves goes where most is due."""
    chosen = np.zeros(len(table), dtype=np.int64)
    owed = np.zeros(len(shares))
    label = table.argmax(axis=1)
    for place in range(table.shape[1]):
        members = rng.permutation(np.flatnonzero(label == place))
        goals = shares * len(members) + owed
        sizes = np.maximum(np.floor(goals + 1e-9), 0).astype(np.int64)
        rest = len(members) - int(sizes.sum())
        while rest > 0:
            due = int(np.argmax(goals - sizes))
            sizes[due] += 1
            rest -= 1
        while rest < 0:
            over = int(np.argmax(np.where(sizes > 0, sizes - goals, -np.inf)))
            sizes[over] -= 1
            rest += 1
        owed = goals - sizes
        chosen[members] = np.repeat(np.arange(len(shares)), sizes)
    return chosen
