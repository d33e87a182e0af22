import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from fercli.metrics.confusion import confusion_matrix
from fercli.metrics.scores import SCORES, balanced_accuracy, macro_f1, scores_of

EMOTIONS = ("happy", "neutral", "tired")
# happy 2 of 3 right, neutral 1 of 2, tired 1 of 1.
MATRIX = np.array([[2, 1, 0], [0, 1, 1], [0, 0, 1]])


@pytest.fixture
def random_pair() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    targets = generator.choice(5, 400, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    return targets, np.where(generator.random(400) < 0.6, targets, generator.integers(0, 5, 400))


def test_scores_by_hand() -> None:
    scores = scores_of(MATRIX, EMOTIONS)
    assert scores.num_faces == 6
    assert scores.accuracy == pytest.approx(4 / 6)
    assert scores.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    # F1: happy 2*2/(3+2), neutral 2*1/(2+2), tired 2*1/(1+2).
    assert scores.macro_f1 == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)


def test_scores_equal_those_of_scikit_learn(random_pair: tuple[np.ndarray, np.ndarray]) -> None:
    scores = scores_of(confusion_matrix(*random_pair, 5), tuple("abcde"))
    assert scores.accuracy == pytest.approx(sklearn_metrics.accuracy_score(*random_pair))
    assert scores.balanced_accuracy == pytest.approx(sklearn_metrics.balanced_accuracy_score(*random_pair))
    assert scores.macro_f1 == pytest.approx(sklearn_metrics.f1_score(*random_pair, average="macro"))


def test_class_figures_equal_those_of_scikit_learn(random_pair: tuple[np.ndarray, np.ndarray]) -> None:
    rows = scores_of(confusion_matrix(*random_pair, 5), tuple("abcde")).per_class
    precision, recall, f1, support = sklearn_metrics.precision_recall_fscore_support(*random_pair)
    np.testing.assert_allclose([row.precision for row in rows], precision)
    np.testing.assert_allclose([row.recall for row in rows], recall)
    np.testing.assert_allclose([row.f1 for row in rows], f1)
    assert [row.support for row in rows] == support.tolist()


@pytest.mark.parametrize("name", SCORES)
def test_a_stack_of_matrices_is_scored_one_by_one(name: str) -> None:
    stack = np.stack([MATRIX, MATRIX.T, np.eye(3, dtype=np.int64)])
    expected = [float(SCORES[name](matrix)) for matrix in stack]
    np.testing.assert_array_equal(SCORES[name](stack), expected)


def test_a_class_that_no_face_has_is_named_and_left_out_of_the_means() -> None:
    targets, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 2, 1])
    scores = scores_of(confusion_matrix(targets, predicted, 3), EMOTIONS)
    assert scores.absent == ("tired",)
    assert scores.balanced_accuracy == pytest.approx((2 / 3 + 1) / 2)
    expected = sklearn_metrics.f1_score(targets, predicted, labels=[0, 1], average="macro")
    assert scores.macro_f1 == pytest.approx(expected)
    assert scores.per_class[2].recall is None
    assert scores.per_class[2].precision == 0


def test_a_class_that_is_never_predicted_has_no_precision_and_f1_zero() -> None:
    row = scores_of(np.array([[3, 0], [1, 0]]), ("happy", "sad")).per_class[1]
    assert (row.precision, row.recall, row.f1) == (None, 0, 0)


@pytest.mark.parametrize("score", [balanced_accuracy, macro_f1])
def test_no_face_has_no_score(score: object) -> None:
    assert np.isnan(score(np.zeros((3, 3), np.int64)))  # type: ignore[operator]  # parametrized function


def test_no_face_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no face to score"):
        scores_of(np.zeros((2, 2), np.int64), ("happy", "sad"))


def test_names_must_match_the_matrix() -> None:
    with pytest.raises(ValueError, match="3 classes in the matrix, 2 names"):
        scores_of(MATRIX, ("happy", "sad"))
