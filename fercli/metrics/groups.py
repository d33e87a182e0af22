"""Score groups of faces apart, and test whether a group is recognised better or worse than all others.

What is resampled and permuted is the unit of `intervals.units_of`: a subject, else a video, else a face. A column of
subjects (glasses) parts the units, and is tested between them; one of faces (size) parts the faces of each unit, and is
tested within them, which compares people with themselves.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer

from fercli.core.rows import MIN_UNITS
from fercli.core.words import counted
from fercli.metrics.comparison import NUM_EXCHANGES
from fercli.metrics.confusion import confusion_by_unit
from fercli.metrics.intervals import LEVEL, NUM_DRAWS, Interval, UnitKind, bootstrap_intervals, resample_matrices
from fercli.metrics.scores import SCORES, accuracy, balanced_accuracy

# Scores whose differences are tested; macro-F1 has no part of a single unit that could be paired.
TESTED = {"accuracy": accuracy, "balanced_accuracy": balanced_accuracy}
_ROUNDING = 1e-12
_CELLS_AT_ONCE = 8_000_000


@dataclass(frozen=True, eq=False)
class Group:
    """The faces of one group: a confusion matrix for each unit that has some, `units` its index, rising."""

    name: str
    units: Int64[np.ndarray, " units"]
    matrices: Int64[np.ndarray, "units classes classes"]

    @property
    def num_faces(self) -> int:
        """How many faces are in it."""
        return int(self.matrices.sum())


@dataclass(frozen=True)
class GroupDifference:
    """How much better a group is recognised than all other groups of its column.

    Attributes:
        group: its name.
        score: "accuracy" or "balanced_accuracy".
        value: the score of the group minus that of the others; paired, the mean of the units' own differences. None
            where no unit can be compared.
        low: of the bootstrap's percentile interval over units; None with too few, as `high`.
        high: likewise.
        p: of the two-sided permutation test; None with too few units.
        test: its name; empty without one.
        num_units: units that take part.
        reason: why there is no test.
    """

    group: str
    score: str
    value: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    test: str = ""
    num_units: int = 0
    reason: str = ""


def parted(
    targets: Integer[np.ndarray, " faces"],
    predicted: Integer[np.ndarray, " faces"],
    units: Integer[np.ndarray, " faces"],
    *,
    names: Sequence[str],
    order: Sequence[str],
    num_classes: int,
) -> list[Group]:
    """The groups of `order` that have faces.

    Args:
        targets: class index of each face.
        predicted: likewise.
        units: index of each face's unit.
        names: of each face's group.
        order: the names of groups.
        num_classes: of the matrices.
    """
    places = {name: place for place, name in enumerate(order)}
    of_face = np.array([places[name] for name in names], np.int64)
    groups = []
    for place, name in enumerate(order):
        mine = np.flatnonzero(of_face == place)
        if not len(mine):
            continue
        own, index = np.unique(units[mine], return_inverse=True)
        matrices = confusion_by_unit(targets[mine], predicted[mine], index, num_units=len(own), num_classes=num_classes)
        groups.append(Group(name, own.astype(np.int64), matrices))
    return groups


def group_intervals(group: Group, *, kind: UnitKind, generator: np.random.Generator) -> dict[str, Interval]:
    """Every score of a group, with its bootstrap interval over the units that have faces in it."""
    return bootstrap_intervals(group.matrices, SCORES, kind=kind, generator=generator)


def group_differences(groups: Sequence[Group], *, kind: UnitKind, seed: int) -> list[GroupDifference]:
    """Each group against all others of its column together; of two groups only the first against the second.

    Units that are in one group only are tested between each other (`between`), units in both parts with themselves
    (`within`); where units are of both sorts, those in both parts are used.
    """
    if len(groups) < 2:
        return []
    found: list[GroupDifference] = []
    for place in range(1 if len(groups) == 2 else len(groups)):
        mine, others = groups[place], _together([*groups[:place], *groups[place + 1 :]])
        generator = np.random.default_rng(seed)
        is_apart = not np.isin(mine.units, others.units).any()
        found += (between if is_apart else within)(mine, others, kind=kind, generator=generator)
    return found


def between(mine: Group, others: Group, *, kind: UnitKind, generator: np.random.Generator) -> list[GroupDifference]:
    """Differences of two groups that have no unit in common: which units are in which group is permuted.

    All ways to choose the units of the group are looked at where there are at most `NUM_EXCHANGES`, and p is exact;
    else so many are drawn, and the observed one counts among them.

    Source: Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 2005, section 3.1; Phipson and Smyth,
    Statistical Applications in Genetics and Molecular Biology 9, 2010 (the observed one counts).
    """
    whole, num_units = mine.matrices.sum(0) + others.matrices.sum(0), len(mine.units) + len(others.units)
    values = {
        name: float(score(mine.matrices.sum(0)) - score(others.matrices.sum(0))) for name, score in TESTED.items()
    }
    if num_units < MIN_UNITS:
        reason = f"only {counted(num_units, kind)}; at least {MIN_UNITS} are needed"
        return [
            GroupDifference(mine.name, name, gap, num_units=num_units, reason=reason) for name, gap in values.items()
        ]
    chosen, is_exact = _chosen_sums(mine, others, generator)
    bounds = _between_bounds(mine, others, generator)
    found = []
    for name, score in TESTED.items():
        as_large = np.abs(score(chosen) - score(whole - chosen)) >= abs(values[name]) - _ROUNDING
        p, test = _share(as_large, is_exact=is_exact), f"permutation over {kind}s"
        found.append(GroupDifference(mine.name, name, values[name], *bounds[name], p, test, num_units))
    return found


def within(mine: Group, others: Group, *, kind: UnitKind, generator: np.random.Generator) -> list[GroupDifference]:
    """Differences of two groups by the units that have faces in both: the sign of each unit's difference is flipped.

    Accuracy is that of the unit's faces; balanced accuracy the mean recall over the classes that the unit shows in both
    groups, so that a group with other expressions is not taken for one that is recognised worse.

    Source: Good, 2005, section 3.2 (one-sample test by signs).
    """
    both = np.intersect1d(mine.units, others.units)
    ours = mine.matrices[np.isin(mine.units, both)]
    theirs = others.matrices[np.isin(others.units, both)]
    gaps = {"accuracy": accuracy(ours) - accuracy(theirs), "balanced_accuracy": _recall_gaps(ours, theirs)}
    found = []
    for name, all_gaps in gaps.items():
        own = all_gaps[~np.isnan(all_gaps)]
        value = float(own.mean()) if len(own) else None
        if len(own) < MIN_UNITS:
            reason = f"only {counted(len(own), kind)} to compare with themselves; at least {MIN_UNITS} are needed"
            found.append(GroupDifference(mine.name, name, value, num_units=len(own), reason=reason))
            continue
        draws = generator.multinomial(len(own), np.full(len(own), 1 / len(own)), size=NUM_DRAWS) @ own / len(own)
        low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        p, test = sign_flips(own, generator=generator), f"paired within {kind}s"
        found.append(GroupDifference(mine.name, name, value, float(low), float(high), p, test, len(own)))
    return found


def sign_flips(gaps: Float64[np.ndarray, " units"], *, generator: np.random.Generator) -> float:
    """Two-sided p that the mean of paired differences is 0, by flipping signs: all ways, or `NUM_EXCHANGES` drawn."""
    is_exact = 2 ** len(gaps) <= NUM_EXCHANGES
    if is_exact:
        signs = np.array(list(product((-1, 1), repeat=len(gaps))), np.int64).reshape(-1, len(gaps))
    else:
        signs = 2 * generator.integers(0, 2, size=(NUM_EXCHANGES, len(gaps))) - 1
    as_large = np.abs(signs @ gaps) >= abs(gaps.sum()) - _ROUNDING
    return _share(as_large, is_exact=is_exact)


def _share(as_large: Bool[np.ndarray, " draws"], *, is_exact: bool) -> float:
    return float(as_large.mean()) if is_exact else float((as_large.sum() + 1) / (len(as_large) + 1))


def _together(groups: Sequence[Group]) -> Group:
    """Groups as one: the matrices of a unit that is in several are added."""
    units, index = np.unique(np.concatenate([group.units for group in groups]), return_inverse=True)
    matrices = np.concatenate([group.matrices for group in groups])
    summed = np.zeros((len(units), *matrices.shape[1:]), np.int64)
    np.add.at(summed, index, matrices)
    return Group("", units, summed)


def _chosen_sums(mine: Group, others: Group, generator: np.random.Generator) -> tuple[np.ndarray, bool]:
    """The group's confusion matrix in each permutation, and whether these are all."""
    units = np.concatenate([mine.matrices, others.matrices])
    num_units, num_mine, form = len(units), len(mine.matrices), units.shape[1:]
    if math.comb(num_units, num_mine) <= NUM_EXCHANGES:
        chosen = np.array(list(combinations(range(num_units), num_mine)), np.int64)
        return units[chosen].sum(1), True
    # Units with equal matrices are interchangeable: drawing how many of each kind is the same draw.
    kinds, counts = np.unique(units.reshape(num_units, -1), axis=0, return_counts=True)
    at_once = max(1, _CELLS_AT_ONCE // len(kinds))
    parts = [
        generator.multivariate_hypergeometric(
            counts, num_mine, size=min(at_once, NUM_EXCHANGES - start), method="marginals"
        )
        @ kinds
        for start in range(0, NUM_EXCHANGES, at_once)
    ]
    return np.concatenate(parts).reshape(-1, *form), False


def _between_bounds(
    mine: Group, others: Group, generator: np.random.Generator
) -> dict[str, tuple[float | None, float | None]]:
    """The interval of each difference: units are resampled in each of the two groups."""
    if min(len(mine.units), len(others.units)) < MIN_UNITS:
        return dict.fromkeys(TESTED, (None, None))
    ours, theirs = (resample_matrices(group.matrices, generator, NUM_DRAWS) for group in (mine, others))
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    bounds: dict[str, tuple[float | None, float | None]] = {}
    for name, score in TESTED.items():
        low, high = np.nanquantile(score(ours) - score(theirs), ends)
        bounds[name] = (float(low), float(high))
    return bounds


def _recall_gaps(
    ours: Int64[np.ndarray, "units classes classes"], theirs: Int64[np.ndarray, "units classes classes"]
) -> Float64[np.ndarray, " units"]:
    """Each unit's mean difference of recall over the classes it has in both; NaN where it has none."""
    supports = [matrices.sum(-1) for matrices in (ours, theirs)]
    recalls = [
        np.diagonal(matrices, axis1=-2, axis2=-1) / np.maximum(support, 1)
        for matrices, support in zip((ours, theirs), supports, strict=True)
    ]
    shared = (supports[0] > 0) & (supports[1] > 0)
    num = shared.sum(-1)
    total = np.where(shared, recalls[0] - recalls[1], 0.0).sum(-1)
    gaps: np.ndarray = np.where(num > 0, total / np.maximum(num, 1), np.nan)
    return gaps
