import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from fercli.metrics.comparison import NUM_EXCHANGES, compare_matrices, exchange_tests, holm, mcnemar
from fercli.metrics.confusion import confusion_by_unit

NUM_CLASSES = 3


def drawn(seed: int, num_units: int, num_faces: int = 120) -> tuple[np.ndarray, ...]:
    """Targets, two models' predictions and the unit of each face."""
    rng = np.random.default_rng(seed)
    targets = np.arange(num_faces) % NUM_CLASSES
    first, second = (
        np.where(rng.random(num_faces) < share, targets, rng.integers(0, NUM_CLASSES, num_faces))
        for share in (0.7, 0.5)
    )
    return targets, first, second, np.arange(num_faces) % num_units


def matrices(targets: np.ndarray, predicted: np.ndarray, units: np.ndarray) -> np.ndarray:
    return confusion_by_unit(targets, predicted, units, num_units=int(units.max()) + 1, num_classes=NUM_CLASSES)


@pytest.mark.parametrize("seed", range(3))
def test_differences_are_those_of_scikit_learn(seed: int) -> None:
    targets, first, second, units = drawn(seed, 8)
    found = compare_matrices(
        matrices(targets, first, units), matrices(targets, second, units), kind="subject",
        generator=np.random.default_rng(0),
    )  # fmt: skip
    expected = {
        "accuracy": accuracy_score(targets, first) - accuracy_score(targets, second),
        "balanced_accuracy": balanced_accuracy_score(targets, first) - balanced_accuracy_score(targets, second),
        "macro_f1": f1_score(targets, first, average="macro") - f1_score(targets, second, average="macro"),
    }
    assert {name: one.value for name, one in found.items()} == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_sign_flips_over_subjects_are_those_of_scipy(seed: int) -> None:
    targets, first, second, units = drawn(seed, 9)
    gaps = (first == targets).astype(int) - (second == targets).astype(int)
    sums = np.bincount(units, gaps)
    expected = permutation_test(
        (sums, np.zeros_like(sums)), lambda x, y, axis: (x - y).sum(axis), vectorized=True,
        permutation_type="samples", n_resamples=np.inf,
    ).pvalue  # fmt: skip
    found = exchange_tests(
        matrices(targets, first, units), matrices(targets, second, units), generator=np.random.default_rng(0)
    )
    assert found["accuracy"] == pytest.approx(expected, abs=1e-12)


def test_macro_f1_is_tested_by_exchanging_whole_subjects() -> None:
    targets, first, second, units = drawn(5, 7)
    observed = abs(f1_score(targets, first, average="macro") - f1_score(targets, second, average="macro"))
    as_large = 0
    for way in range(2**7):
        swapped = np.array([bool(way >> unit & 1) for unit in range(7)])[units]
        ours, theirs = np.where(swapped, second, first), np.where(swapped, first, second)
        gap = f1_score(targets, ours, average="macro") - f1_score(targets, theirs, average="macro")
        as_large += abs(gap) >= observed - 1e-12
    found = exchange_tests(
        matrices(targets, first, units), matrices(targets, second, units), generator=np.random.default_rng(0)
    )
    assert found["macro_f1"] == pytest.approx(as_large / 2**7, abs=1e-12)


def test_drawn_exchanges_come_near_the_exact_test() -> None:
    targets, first, second, units = drawn(1, 20)
    ours, theirs = matrices(targets, first, units), matrices(targets, second, units)
    gaps = (first == targets).astype(int) - (second == targets).astype(int)
    sums = np.bincount(units, gaps)
    # How often each sum is reached by flipping signs, by adding subject after subject.
    ways = {0: 1}
    for size in sums.astype(int):
        ways = {
            total: ways.get(total - size, 0) + ways.get(total + size, 0)
            for total in {t + s for t in ways for s in (size, -size)}
        }
    exact = sum(num for total, num in ways.items() if abs(total) >= abs(sums.sum())) / 2**20
    found = exchange_tests(ours, theirs, generator=np.random.default_rng(0))["accuracy"]
    assert found == pytest.approx(exact, abs=4 * (exact / NUM_EXCHANGES) ** 0.5 + 1e-3)


@pytest.mark.parametrize(("ours", "theirs"), [(0, 0), (1, 0), (7, 2), (30, 30), (400, 333), (5000, 4800)])
def test_mcnemar_is_the_binomial_test(ours: int, theirs: int) -> None:
    expected = binomtest(min(ours, theirs), ours + theirs, 0.5).pvalue if ours + theirs else 1.0
    assert mcnemar(ours, theirs) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_by_hand() -> None:
    # Two of nine heads or fewer: (1 + 9 + 36) / 512, on both sides.
    assert mcnemar(7, 2) == 2 * 46 / 512


def test_faces_that_are_their_own_units_are_tested_by_mcnemar() -> None:
    targets, first, second, _ = drawn(2, 1)
    units = np.arange(len(targets))
    found = compare_matrices(
        matrices(targets, first, units), matrices(targets, second, units), kind="face",
        generator=np.random.default_rng(0),
    )["accuracy"]  # fmt: skip
    only_first = int(((first == targets) & (second != targets)).sum())
    only_second = int(((second == targets) & (first != targets)).sum())
    assert (found.p, found.test) == (mcnemar(only_first, only_second), "McNemar's exact test")


def test_holm_by_hand() -> None:
    # Sorted .01 .02 .03 .04, times 4 3 2 1, and never smaller than the one before.
    assert holm([0.04, 0.01, None, 0.03, 0.02]) == pytest.approx([0.06, 0.04, None, 0.06, 0.06])


def test_holm_is_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    values = np.random.default_rng(0).random(9) ** 3
    expected = multitest.multipletests(values, method="holm")[1]
    assert holm(list(values)) == pytest.approx(list(expected), abs=1e-12)


def test_a_model_does_not_differ_from_itself() -> None:
    targets, first, _, units = drawn(3, 6)
    ours = matrices(targets, first, units)
    for one in compare_matrices(ours, ours, kind="subject", generator=np.random.default_rng(0)).values():
        assert (one.value, one.low, one.high, one.p) == (0, 0, 0, 1)


def test_too_few_subjects_give_a_difference_alone_and_the_reason() -> None:
    targets, first, second, units = drawn(3, 4)
    one = compare_matrices(
        matrices(targets, first, units), matrices(targets, second, units), kind="subject",
        generator=np.random.default_rng(0),
    )["accuracy"]  # fmt: skip
    assert (one.low, one.p, one.reason) == (None, None, "only 4 subjects; at least 5 are needed")


def test_interval_of_a_difference_covers_it_as_often_as_it_says() -> None:
    """Of 100 draws from a world with a known difference, about 95 intervals hold it."""
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        num, units = 300, np.arange(300)
        targets = np.zeros(num, np.int64)
        first, second = (rng.random(num) > 0.8).astype(np.int64), (rng.random(num) > 0.7).astype(np.int64)
        one = compare_matrices(
            confusion_by_unit(targets, first, units, num_units=num, num_classes=2),
            confusion_by_unit(targets, second, units, num_units=num, num_classes=2),
            kind="face", generator=rng,
        )["accuracy"]  # fmt: skip
        assert one.low is not None
        assert one.high is not None
        held += one.low <= 0.1 <= one.high
    assert 88 <= held <= 99
