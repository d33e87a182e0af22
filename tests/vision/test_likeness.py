"""One-to-one pairs by similarity, and which of them are sure."""

import numpy as np
import pytest

from fercli.vision.likeness import pair_alike


def test_pairs_are_those_of_the_largest_sum_not_each_ones_best() -> None:
    pairs = pair_alike(np.array([[0.9, 0.8], [0.85, 0.35]]))
    assert [(pair.row, pair.column) for pair in pairs] == [(0, 1), (1, 0)]
    assert not any(pair.is_sure for pair in pairs)


def test_margin_is_the_lead_over_the_next_best_of_either() -> None:
    (first, second) = pair_alike(np.array([[0.9, 0.2], [0.7, 0.6]]))
    assert (first.similarity, first.is_sure) == (0.9, True)
    assert first.margin == pytest.approx(0.2)
    assert second.margin == pytest.approx(-0.1)
    assert not second.is_sure


@pytest.mark.parametrize(("value", "is_sure"), [(0.54, False), (0.56, True)])
def test_threshold_counts_where_there_is_no_next_best(value: float, is_sure: bool) -> None:
    (pair,) = pair_alike(np.array([[value]]))
    assert (pair.is_sure, pair.margin) == (is_sure, 2.0)


def test_two_who_cannot_be_one_are_never_paired() -> None:
    pairs = pair_alike(np.array([[-np.inf, -np.inf], [0.9, -np.inf]]))
    assert [(pair.row, pair.column) for pair in pairs] == [(1, 0)]
    assert pair_alike(np.zeros((0, 3))) == []


def test_two_who_do_not_look_alike_are_not_proposed() -> None:
    assert pair_alike(np.array([[0.2]])) == []


def test_more_columns_than_rows_leave_some_alone() -> None:
    pairs = pair_alike(np.array([[0.1, 0.9, 0.3]]))
    assert [(pair.row, pair.column, pair.is_sure) for pair in pairs] == [(0, 1, True)]
