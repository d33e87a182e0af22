import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from fercli.metrics.confusion import confusion_by_unit, confusion_matrix, normalize_confusion

TARGETS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 2, 2])


def test_rows_are_true_and_columns_predicted() -> None:
    np.testing.assert_array_equal(confusion_matrix(TARGETS, PREDICTED, 3), [[2, 1, 0], [0, 1, 1], [0, 0, 1]])


def test_counts_equal_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    targets, predicted = generator.integers(0, 7, 500), generator.integers(0, 7, 500)
    np.testing.assert_array_equal(
        confusion_matrix(targets, predicted, 7), sklearn_metrics.confusion_matrix(targets, predicted)
    )


@pytest.mark.parametrize("by", ["true", "pred"])
def test_shares_equal_those_of_scikit_learn(by: str) -> None:
    expected = sklearn_metrics.confusion_matrix(TARGETS, PREDICTED, normalize=by)
    np.testing.assert_allclose(normalize_confusion(confusion_matrix(TARGETS, PREDICTED, 3), by), expected)


def test_a_class_without_faces_stays_zero_when_normalized() -> None:
    shares = normalize_confusion(confusion_matrix(np.array([0]), np.array([0]), 2), "true")
    np.testing.assert_array_equal(shares, [[1, 0], [0, 0]])


def test_no_normalization_leaves_the_counts() -> None:
    counts = confusion_matrix(TARGETS, PREDICTED, 3)
    np.testing.assert_array_equal(normalize_confusion(counts, "none"), counts)


def test_units_add_up_to_the_whole() -> None:
    units = np.array([1, 0, 1, 0, 1, 1])
    parts = confusion_by_unit(TARGETS, PREDICTED, units, num_units=2, num_classes=3)
    np.testing.assert_array_equal(parts[0], [[1, 0, 0], [0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(parts.sum(0), confusion_matrix(TARGETS, PREDICTED, 3))


@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_class_outside_the_set_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match=r"a predicted class lies outside 0\.\.2"):
        confusion_matrix(np.array([0]), np.array([wrong]), 3)
