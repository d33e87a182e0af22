import numpy as np
import pytest
from scipy.stats import binom, binomtest

from fercli.metrics.intervals import Units
from fercli.metrics.selective import choose_threshold, reached, risk_coverage

# Confidence 0.9, 0.8, 0.8, 0.6; the third is wrong.
ROWS = np.array([[0.9, 0.1], [0.2, 0.8], [0.8, 0.2], [0.6, 0.4]])
TARGETS = np.array([0, 1, 1, 0])


def drawn(seed: int, num_faces: int = 300) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    rows = np.round(generator.dirichlet(np.ones(5), size=num_faces), 2)
    return rows, np.array([generator.integers(5) if generator.random() < 0.4 else row.argmax() for row in rows])


def test_a_curve_by_hand_takes_faces_of_one_confidence_together() -> None:
    curve = risk_coverage(ROWS, TARGETS)
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.6]
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 3, 1 / 4])
    assert curve.area == pytest.approx((0 + 2 / 3 + 1 / 4) / 4)


@pytest.mark.parametrize("seed", range(5))
def test_the_curve_is_what_counting_at_each_threshold_gives(seed: int) -> None:
    rows, targets = drawn(seed)
    curve = risk_coverage(rows, targets)
    sure, wrong = rows.max(1), rows.argmax(1) != targets
    risk_of = {limit: wrong[sure >= limit].mean() for limit in set(sure.tolist())}
    assert curve.thresholds.tolist() == sorted(risk_of, reverse=True)
    for limit, coverage, risk in zip(curve.thresholds, curve.coverage, curve.risk, strict=True):
        assert coverage == pytest.approx((sure >= limit).mean(), abs=1e-12)
        assert risk == pytest.approx(risk_of[limit], abs=1e-12)
    assert curve.area == pytest.approx(np.mean([risk_of[one] for one in sure.tolist()]), abs=1e-12)


def test_the_threshold_accepts_as_many_as_the_wanted_accuracy_allows() -> None:
    rows, targets = drawn(1)
    chosen = choose_threshold(risk_coverage(rows, targets), 0.7, len(targets))
    sure, right = rows.max(1), rows.argmax(1) == targets
    assert chosen.value is not None
    assert right[sure >= chosen.value].mean() == pytest.approx(chosen.accuracy)
    assert chosen.accuracy >= 0.7
    assert all(right[sure >= limit].mean() < 0.7 for limit in set(sure.tolist()) if limit < chosen.value)


def test_nine_of_ten_are_ninety_percent() -> None:
    rows = np.tile([0.7, 0.3], (10, 1))
    assert choose_threshold(risk_coverage(rows, np.array([1] + [0] * 9)), 0.9, 10).value == 0.7


def test_the_bound_is_the_exact_binomial_one() -> None:
    rows = np.tile([0.7, 0.3], (20, 1))
    chosen = choose_threshold(risk_coverage(rows, np.array([1] * 2 + [0] * 18)), 0.9, 20)
    exact = binomtest(18, 20, alternative="greater").proportion_ci(0.95, method="exact").low
    assert chosen.bound == pytest.approx(exact, abs=1e-12)
    assert binom.sf(17, 20, chosen.bound) == pytest.approx(0.05)


def test_an_accuracy_that_no_threshold_reaches_gives_none() -> None:
    chosen = choose_threshold(risk_coverage(ROWS[2:], TARGETS[2:]), 0.9, 2)
    assert (chosen.value, chosen.accuracy, chosen.coverage) == (None, 0.5, 1.0)


def test_what_a_threshold_reaches_is_counted_on_other_faces() -> None:
    units = Units("subject", np.arange(4) % 2, ("a", "b"))
    found = reached(ROWS, TARGETS, 0.8, units, generator=np.random.default_rng(0))
    assert found.num_accepted == 3
    assert found.coverage.value == 0.75
    assert found.accuracy is not None
    assert found.accuracy.value == pytest.approx(2 / 3)
    assert reached(ROWS, TARGETS, 0.99, units, generator=np.random.default_rng(0)).accuracy is None
    assert reached(ROWS, TARGETS, 0.99, units, generator=np.random.default_rng(0)).coverage.value == 0
