import numpy as np
import pytest

from fercli.metrics.calibration import calibration, calibration_intervals
from fercli.metrics.confusion import confusion_by_unit
from fercli.metrics.intervals import Units, bootstrap_intervals
from fercli.metrics.scores import SCORES
from fercli.metrics.sums import intervals_of_sums, ratio


def drawn(num_units: int, num_faces: int = 240) -> tuple[np.ndarray, np.ndarray, Units]:
    generator = np.random.default_rng(5)
    rows = generator.dirichlet(np.ones(3), size=num_faces)
    targets = np.array([generator.choice(3, p=row) for row in rows])
    return rows, targets, Units("subject", np.arange(num_faces) % num_units, tuple(map(str, range(num_units))))


def test_accuracy_from_sums_has_nearly_the_interval_that_it_has_from_matrices() -> None:
    rows, targets, units = drawn(12)
    right = (rows.argmax(1) == targets).astype(float)
    ours = intervals_of_sums(
        np.stack([right, np.ones(len(right))], axis=1), {"accuracy": ratio(0, 1)}, units,
        generator=np.random.default_rng(0),
    )["accuracy"]  # fmt: skip
    matrices = confusion_by_unit(targets, rows.argmax(1), units.index, num_units=12, num_classes=3)
    theirs = bootstrap_intervals(matrices, SCORES, kind="subject", generator=np.random.default_rng(0))["accuracy"]
    assert ours.value == pytest.approx(theirs.value)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_calibration_with_intervals_has_the_values_of_calibration() -> None:
    rows, targets, units = drawn(12)
    plain = calibration(rows, targets)
    found = calibration_intervals(rows, targets, units, generator=np.random.default_rng(0))
    for name in ("ece", "brier", "nll"):
        assert found[name].value == pytest.approx(getattr(plain, name), abs=1e-12)
        assert found[name].low is not None
    assert found["brier"].low < found["brier"].value < found["brier"].high  # type: ignore[operator]  # known above


def test_ece_by_hand_over_fifteen_bins() -> None:
    rows, targets, units = drawn(12)
    sure, right, total = rows.max(1), rows.argmax(1) == targets, 0.0
    for place in range(15):
        inside = (sure > place / 15) & (sure <= (place + 1) / 15)
        if inside.any():
            total += inside.sum() / len(sure) * abs(right[inside].mean() - sure[inside].mean())
    found = calibration_intervals(rows, targets, units, generator=np.random.default_rng(0))["ece"]
    assert found.value == pytest.approx(total, abs=1e-12)


def test_too_few_units_have_no_interval_and_say_why() -> None:
    rows, targets, units = drawn(3)
    found = calibration_intervals(rows, targets, units, generator=np.random.default_rng(0))["nll"]
    assert (found.low, found.reason) == (None, "only 3 subjects; a confidence interval needs at least 5")


def test_a_resample_without_a_value_counts_for_nothing() -> None:
    columns = np.array([[1.0, 1.0]] + [[0.0, 0.0]] * 5)
    units = Units("face", np.arange(6), tuple("abcdef"))
    found = intervals_of_sums(columns, {"share": ratio(0, 1)}, units, generator=np.random.default_rng(0))["share"]
    assert (found.value, found.low, found.high) == (1, 1, 1)
