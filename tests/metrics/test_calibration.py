import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from fercli.metrics.calibration import calibration


def test_error_by_hand() -> None:
    # Bin (.5, 1]: confidences .9, .8 with one right, gap .85 - .5; bin (0, .5]: confidence .4, right, gap .6.
    probabilities = np.array([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1], [0.4, 0.3, 0.3]])
    result = calibration(probabilities, np.array([0, 1, 0]), num_bins=2)
    assert result.ece == pytest.approx((2 * 0.35 + 1 * 0.6) / 3)
    assert [b.num_faces for b in result.bins] == [1, 2]


def test_sure_and_right_is_perfect() -> None:
    result = calibration(np.eye(3), np.arange(3))
    assert (result.ece, result.brier, result.nll) == (0, 0, 0)


def test_bins_equal_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(2)
    sure = generator.uniform(0.5, 1, 300)
    right = generator.random(300) < sure
    probabilities = np.stack([sure, 1 - sure], 1)
    bins = [b for b in calibration(probabilities, np.where(right, 0, 1), num_bins=10).bins if b.num_faces]
    accuracy, confidence = calibration_curve(right, sure, n_bins=10)
    np.testing.assert_allclose([b.accuracy for b in bins], accuracy)
    np.testing.assert_allclose([b.confidence for b in bins], confidence)


def test_brier_and_likelihood_equal_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(3)
    first, targets = generator.uniform(0.05, 0.95, 50), generator.integers(0, 2, 50)
    probabilities = np.stack([1 - first, first], 1)
    result = calibration(probabilities, targets)
    # Over two classes the squared distance counts both entries: twice scikit-learn's binary figure.
    assert result.brier == pytest.approx(2 * brier_score_loss(targets, first))
    assert result.nll == pytest.approx(log_loss(targets, probabilities))


def test_a_probability_on_an_edge_belongs_to_the_bin_below() -> None:
    result = calibration(np.array([[0.5, 0.3, 0.2]]), np.array([0]), num_bins=2)
    assert [b.num_faces for b in result.bins] == [1, 0]


def test_an_empty_bin_has_neither_confidence_nor_accuracy() -> None:
    first = calibration(np.eye(2), np.arange(2)).bins[0]
    assert (first.num_faces, first.confidence, first.accuracy) == (0, None, None)


def test_no_face_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no face to score"):
        calibration(np.zeros((0, 3)), np.zeros(0, np.int64))


def test_a_probability_that_tables_round_to_nothing_costs_what_half_their_last_digit_does() -> None:
    sure = calibration(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0]))
    assert sure.nll == pytest.approx(-np.log(5e-7) / 2)
