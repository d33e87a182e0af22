import numpy as np

from fercli.cam.cases import choose_cases

TARGETS = np.array([0, 0, 0, 0, 1, 1], np.int64)
PROBABILITIES = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.45, 0.55], [0.25, 0.75]], np.float32)


def test_surest_hits_come_before_surest_mistakes_class_by_class() -> None:
    cases = choose_cases(TARGETS, PROBABILITIES, 2)
    assert [case.place for case in cases] == [1, 0, 2, 3, 5, 4]
    assert [case.is_right for case in cases] == [True, True, False, False, True, True]


def test_no_more_than_asked_for_are_chosen() -> None:
    assert [case.place for case in choose_cases(TARGETS, PROBABILITIES, 1)] == [1, 2, 5]


def test_equal_probabilities_keep_the_order_of_the_samples() -> None:
    even = np.full((4, 2), 0.5, np.float32)
    assert [case.place for case in choose_cases(np.zeros(4, np.int64), even, 3)] == [0, 1, 2]


def test_case_carries_the_probability_of_the_predicted_class() -> None:
    case = choose_cases(TARGETS, PROBABILITIES, 1)[1]
    assert (case.target, case.predicted) == (0, 1)
    np.testing.assert_allclose(case.probability, 0.8, rtol=1e-6)


def test_another_subject_comes_before_a_second_face_of_the_same() -> None:
    targets = np.zeros(4, np.int64)
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]], np.float32)
    groups = ("s1", "s1", "s2", "s2")
    assert [case.place for case in choose_cases(targets, probabilities, 2, groups)] == [0, 2]
    assert [case.place for case in choose_cases(targets, probabilities, 3, groups)] == [0, 2, 1]


def test_faces_of_unknown_subjects_are_all_different() -> None:
    targets = np.zeros(3, np.int64)
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], np.float32)
    assert [case.place for case in choose_cases(targets, probabilities, 2, ("", "", ""))] == [0, 1]
