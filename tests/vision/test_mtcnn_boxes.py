"""Box arithmetic, by hand."""

import numpy as np
import pytest

from fercli.vision.mtcnn.boxes import Overlap, keep_greedy, keep_mtcnn, overlap_matrix, propose, refine, squared

# Each overlaps the next by 0.6 of the union (5 wide steps of 20): a chain.
CHAIN = np.array([[0.0, 0, 20, 20], [5, 0, 25, 20], [10, 0, 30, 20]])


def test_cell_becomes_the_window_it_saw() -> None:
    scores = np.zeros((4, 5))
    scores[2, 3] = 0.9
    boxes, found = propose(scores, np.zeros((4, 5, 4)), 0.6)
    np.testing.assert_array_equal(boxes, [[3 * 2 + 1, 2 * 2 + 1, 3 * 2 + 12, 2 * 2 + 12]])
    np.testing.assert_array_equal(found, [0.9])


def test_regression_of_a_cell_counts_in_eleven_pixels() -> None:
    boxes, _ = propose(np.array([[0.9]]), np.array([[[0.1, 0.2, -0.1, 0.0]]]), 0.6)
    np.testing.assert_allclose(boxes, [[1 + 1.1, 1 + 2.2, 12 - 1.1, 12]])


def test_proposals_come_best_first() -> None:
    _, found = propose(np.array([[0.7, 0.9, 0.1, 0.8]]), np.zeros((1, 4, 4)), 0.6)
    np.testing.assert_array_equal(found, [0.9, 0.8, 0.7])


def test_refinement_counts_the_box_one_pixel_larger() -> None:
    moved = refine(np.array([[0.0, 0, 9, 19]]), np.array([[0.1, 0.1, -0.1, 0.0]]))
    np.testing.assert_allclose(moved, [[1, 2, 8, 19]])


def test_square_keeps_the_centre_and_the_longer_side() -> None:
    np.testing.assert_allclose(squared(np.array([[0.0, 0, 10, 20]])), [[-5, 0, 15, 20]])


def test_overlap_over_the_union_and_over_the_smaller() -> None:
    big, small = np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 5, 10]])
    assert overlap_matrix(big, small) == pytest.approx(0.5)
    assert overlap_matrix(big, small, "min") == pytest.approx(1.0)


def test_box_without_area_overlaps_nothing() -> None:
    assert overlap_matrix(np.zeros((1, 4)), np.array([[-1.0, -1, 1, 1]])) == 0


@pytest.mark.parametrize("overlap", ["union", "min"])
def test_greedy_spares_a_box_whose_only_rival_has_fallen(overlap: Overlap) -> None:
    # Three quarters of the smaller box, 0.6 of the union; the first and the last share half of a box.
    np.testing.assert_array_equal(keep_greedy(CHAIN, 0.55, overlap), [True, False, True])


@pytest.mark.parametrize("overlap", ["union", "min"])
def test_greedy_keeps_what_clashes_with_nothing_kept_and_nothing_else(overlap: Overlap) -> None:
    rng = np.random.default_rng(1)
    corners = rng.uniform(0, 200, (700, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(10, 60, (700, 2))], axis=1)
    clashes = np.triu(overlap_matrix(boxes, boxes, overlap) > 0.4, k=1)
    kept = keep_greedy(boxes, 0.4, overlap)
    assert not clashes[np.ix_(kept, kept)].any()
    assert clashes[kept].any(axis=0)[~kept].all()


def test_mtcnns_suppression_counts_fallen_rivals_too() -> None:
    np.testing.assert_array_equal(keep_mtcnn(CHAIN, 0.5, "union"), [True, False, False])


def test_mtcnns_suppression_in_blocks_is_that_of_the_whole_matrix() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 300, (1300, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(10, 40, (1300, 2))], axis=1)
    better = np.triu(overlap_matrix(boxes, boxes) > 0.3, k=1)
    np.testing.assert_array_equal(keep_mtcnn(boxes, 0.3, "union"), ~better.any(axis=0))


@pytest.mark.parametrize("keep", [keep_greedy, keep_mtcnn])
def test_no_boxes_are_no_trouble(keep: object) -> None:
    assert len(keep(np.zeros((0, 4)), 0.5, "union")) == 0  # type: ignore[operator]
