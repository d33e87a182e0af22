import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, recall_score

from fercli.metrics.groups import Group, between, group_differences, group_intervals, parted, sign_flips, within

CLASSES = 3


def drawn(seed: int, num_units: int = 9, num_faces: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, CLASSES, num_faces)
    predicted = np.where(rng.random(num_faces) < 0.6, targets, rng.integers(0, CLASSES, num_faces))
    return targets, predicted, np.arange(num_faces) % num_units


def of_units(seed: int, first: int) -> tuple[list[Group], list[np.ndarray]]:
    """Groups that part the units, and the units' matrices."""
    targets, predicted, units = drawn(seed)
    names = ["yes" if unit < first else "no" for unit in units]
    groups = parted(targets, predicted, units, names=names, order=["yes", "no"], num_classes=CLASSES)
    return groups, [*groups[0].matrices, *groups[1].matrices]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("first", [2, 4])
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy"])
def test_a_difference_between_units_is_scipys_permutation_test(seed: int, first: int, name: str) -> None:
    (mine, others), matrices = of_units(seed, first)

    def score(chosen: np.ndarray) -> float:
        matrix = np.sum([matrices[int(place)] for place in chosen], axis=0)
        recalls = np.diag(matrix) / matrix.sum(1)
        return float(np.trace(matrix) / matrix.sum() if name == "accuracy" else recalls.mean())

    expected = stats.permutation_test(
        (np.arange(first), np.arange(first, len(matrices))),
        lambda one, other: abs(score(one) - score(other)),
        permutation_type="independent",
        n_resamples=np.inf,
        alternative="greater",
    )
    (found,) = (
        one for one in between(mine, others, kind="subject", generator=np.random.default_rng(0)) if one.score == name
    )
    assert abs(found.value or 0.0) == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_signs_are_flipped_as_scipy_does(seed: int) -> None:
    gaps = np.random.default_rng(seed).normal(0.3, 1, 5 + seed)
    expected = stats.permutation_test(
        (gaps,), lambda one: abs(one.mean()), permutation_type="samples", n_resamples=np.inf, alternative="greater"
    )
    assert sign_flips(gaps, generator=np.random.default_rng(0)) == pytest.approx(expected.pvalue, abs=1e-12)


def test_many_units_are_drawn_and_agree_with_the_normal_approximation() -> None:
    rng = np.random.default_rng(5)
    targets = rng.integers(0, CLASSES, 4000)
    right = rng.random(4000) < np.where(np.arange(4000) < 2000, 0.72, 0.70)
    predicted = np.where(right, targets, (targets + 1) % CLASSES)
    names = ["a"] * 2000 + ["b"] * 2000
    groups = parted(targets, predicted, np.arange(4000), names=names, order=["a", "b"], num_classes=CLASSES)
    found = group_differences(groups, kind="face", seed=0)[0]
    table = [[right[:2000].sum(), (~right[:2000]).sum()], [right[2000:].sum(), (~right[2000:]).sum()]]
    assert found.p == pytest.approx(stats.chi2_contingency(table).pvalue, abs=0.02)
    assert found.low is not None
    assert found.high is not None
    assert found.low < (found.value or 0.0) < found.high


@pytest.mark.parametrize("seed", range(3))
def test_faces_of_one_unit_are_compared_with_themselves(seed: int) -> None:
    targets, predicted, units = drawn(seed)
    names = np.where(np.arange(len(targets)) % 2 == 0, "small", "large")
    mine, others = parted(targets, predicted, units, names=list(names), order=["small", "large"], num_classes=CLASSES)
    own, balanced = [], []
    for unit in range(9):
        of_unit = [np.flatnonzero((units == unit) & (names == name)) for name in ("small", "large")]
        if not all(map(len, of_unit)):
            continue
        small, large = (accuracy_score(targets[rows], predicted[rows]) for rows in of_unit)
        own.append(small - large)
        shared = set(targets[of_unit[0]]) & set(targets[of_unit[1]])
        if shared:
            small, large = (
                recall_score(targets[rows], predicted[rows], labels=list(shared), average="macro") for rows in of_unit
            )
            balanced.append(small - large)
    found = within(mine, others, kind="subject", generator=np.random.default_rng(0))
    for one, gaps in zip(found, (own, balanced), strict=True):
        assert one.value == pytest.approx(np.mean(gaps), abs=1e-12)
        expected = stats.permutation_test(
            (np.array(gaps),), lambda values: abs(values.mean()),
            permutation_type="samples", n_resamples=np.inf, alternative="greater",
        )  # fmt: skip
        assert one.p == pytest.approx(expected.pvalue, abs=1e-12)
        assert (one.test, one.num_units) == ("paired within subjects", len(gaps))


def test_two_groups_differ_once_and_three_each_from_the_others() -> None:
    targets, predicted, units = drawn(0)
    for number, expected in ((2, 1), (3, 3)):
        order = [f"g{place}" for place in range(number)]
        names = [order[unit % number] for unit in units]
        groups = parted(targets, predicted, units, names=names, order=order, num_classes=CLASSES)
        found = group_differences(groups, kind="subject", seed=0)
        assert len({one.group for one in found}) == expected


def test_a_group_has_the_scores_of_its_faces() -> None:
    targets, predicted, units = drawn(2)
    (mine, _), _ = of_units(2, 5)
    rows = units < 5
    found = group_intervals(mine, kind="subject", generator=np.random.default_rng(0))
    assert found["accuracy"].value == pytest.approx(accuracy_score(targets[rows], predicted[rows]), abs=1e-12)
    assert (found["accuracy"].num_units, found["accuracy"].low is not None) == (5, True)


def test_few_units_have_no_test_and_say_so() -> None:
    (mine, others), _ = of_units(0, 2)
    few = Group("few", others.units[:2], others.matrices[:2])
    found = between(mine, few, kind="subject", generator=np.random.default_rng(0))
    assert [one.p for one in found] == [None, None]
    assert found[0].reason == "only 4 subjects; at least 5 are needed"
