import numpy as np

from fercli.labels.suspicion import confusion, suspicious_labels


def test_confident_disagreement_is_found_and_the_clearest_comes_first() -> None:
    # Two classes; the mean probability of the first class over its faces is 0.7, of the second 0.8.
    rows = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.1, 0.9], [0.4, 0.6], [0.02, 0.98]])
    labels = np.array([0, 0, 0, 1, 1, 1, 0])
    # Means: class 0 (0.9+0.9+0.3+0.02)/4 = 0.53; class 1 (0.8+0.9+0.6)/3 = 0.767.
    found = suspicious_labels(rows, labels)
    # Face 2 is only 0.7 for class 1, below its mean: not confident. Face 6 is.
    assert [(one.place, one.better) for one in found] == [(6, 1)]
    assert found[0].margin == 0.98 - 0.02


def test_model_that_favours_one_class_does_not_put_all_others_in_doubt() -> None:
    # Always 0.6 and more for class 0: the labels of class 1 stand, for class 0 gets no more there than on its own.
    rows = np.array([[0.9, 0.1], [0.95, 0.05], [0.6, 0.4], [0.62, 0.38]])
    assert suspicious_labels(rows, np.array([0, 0, 1, 1])) == []


def test_class_without_faces_is_never_held_for_the_right_one() -> None:
    rows = np.array([[0.3, 0.1, 0.6], [0.1, 0.3, 0.6]])
    assert suspicious_labels(rows, np.array([0, 1])) == []


def test_nothing_to_doubt_without_faces() -> None:
    assert suspicious_labels(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)) == []


def test_confusion_has_labels_in_rows() -> None:
    assert confusion(["a", "a", "b", "x"], ["a", "b", "b", "a"], ["a", "b"]) == [[1, 1], [0, 1]]
