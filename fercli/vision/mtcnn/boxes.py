"""Box arithmetic of MTCNN: from scores to proposals, refinement, squaring and suppression of doubles.

A box is a row (x1, y1, x2, y2) of float64 pixels; boxes are sorted by falling score unless said otherwise.
"""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

# A PNet cell sees 12 pixels at stride 2; mtcnn counts them from 1 on, which makes the window 11 wide.
_STRIDE, _FIRST, _LAST = 2, 1, 12
_BLOCK = 256

Overlap = Literal["union", "min"]
Boxes = Float[np.ndarray, "boxes 4"]
Scores = Float[np.ndarray, " boxes"]


def propose(
    scores: Float[np.ndarray, "rows columns"], regressions: Float[np.ndarray, "rows columns 4"], threshold: float
) -> tuple[Float[np.ndarray, "found 4"], Float[np.ndarray, " found"]]:
    """Boxes and scores, in pixels of the pyramid level, of the cells that score above `threshold`, best first."""
    rows, columns = np.nonzero(scores > threshold)
    found = scores[rows, columns].astype(np.float64)
    corners = np.stack([columns, rows, columns, rows], axis=1) * _STRIDE + np.array([_FIRST, _FIRST, _LAST, _LAST])
    boxes = corners + regressions[rows, columns].astype(np.float64) * (_LAST - _FIRST)
    order = best_first(found)
    return boxes[order], found[order]


def best_first(scores: Scores) -> Int[np.ndarray, " boxes"]:
    """Order of falling score; ties stand as numpy's argsort, read backwards, leaves them (mtcnn's order)."""
    return np.asarray(np.argsort(scores)[::-1])


def refine(boxes: Boxes, regressions: Float[np.ndarray, "boxes 4"]) -> Boxes:
    """Move each corner by its regression, a share of the box's size (counted one pixel larger, as in training)."""
    sizes = boxes[:, 2:] - boxes[:, :2] + 1
    return np.asarray(boxes + regressions * np.concatenate([sizes, sizes], axis=1))


def place_landmarks(boxes: Boxes, shares: Float[np.ndarray, "boxes numbers"]) -> Float[np.ndarray, "boxes points 2"]:
    """Landmarks in pixels from ONet's shares of the box, all x before all y; none where there are no numbers."""
    points = shares.reshape(len(boxes), 2, shares.shape[1] // 2).transpose(0, 2, 1)
    sizes = boxes[:, 2:] - boxes[:, :2] + 1
    return np.asarray(points * sizes[:, None] + boxes[:, None, :2] - 1)


def squared(boxes: Boxes) -> Boxes:
    """The boxes grown to squares about their centres."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    sides = sizes.max(axis=1, keepdims=True)
    corners = boxes[:, :2] + sizes * 0.5 - sides * 0.5
    return np.concatenate([corners, corners + sides], axis=1)


def keep_mtcnn(boxes: Boxes, threshold: float, overlap: Overlap) -> Bool[np.ndarray, " boxes"]:
    """Which boxes mtcnn keeps: those that overlap no better box by more than `threshold`, be it itself kept or not."""
    kept = np.ones(len(boxes), dtype=bool)
    # In blocks: the whole matrix of a crowded picture would take hundreds of megabytes.
    for start in range(0, len(boxes), _BLOCK):
        stop = min(start + _BLOCK, len(boxes))
        overlaps = overlap_matrix(boxes[start:stop], boxes[:stop], overlap) > threshold
        kept[start:stop] = ~np.tril(overlaps, k=start - 1).any(axis=1)
    return kept


def keep_greedy(boxes: Boxes, threshold: float, overlap: Overlap) -> Bool[np.ndarray, " boxes"]:
    """Which boxes greedy suppression keeps: those that overlap no better kept box by more than `threshold`."""
    if overlap == "union":
        return _keep_greedy_union(boxes, threshold)
    kept = np.zeros(len(boxes), dtype=bool)
    # A block against all that are kept, then its boxes one by one against each other: a row of a small matrix each.
    for start in range(0, len(boxes), _BLOCK):
        block = boxes[start : start + _BLOCK]
        free = (overlap_matrix(block, boxes[kept], overlap) <= threshold).all(axis=1)
        places = np.nonzero(free)[0]
        clashes = overlap_matrix(block[places], block[places], overlap) > threshold
        is_left = np.ones(len(places), dtype=bool)
        for row in range(len(places)):
            if is_left[row]:
                is_left[row + 1 :] &= ~clashes[row, row + 1 :]
        kept[start + places[is_left]] = True
    return kept


def _keep_greedy_union(boxes: Boxes, threshold: float) -> Bool[np.ndarray, " boxes"]:
    """By OpenCV, in a tenth of the time that matrices take; it wants scores that fall."""
    kept = np.zeros(len(boxes), dtype=bool)
    if len(boxes):
        corners_and_sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
        falling = range(len(boxes), 0, -1)
        kept[np.ravel(cv2.dnn.NMSBoxes(corners_and_sizes.tolist(), falling, 0.0, threshold))] = True
    return kept


def overlap_matrix(
    boxes: Float[np.ndarray, "boxes 4"], others: Float[np.ndarray, "others 4"], overlap: Overlap = "union"
) -> Float[np.ndarray, "boxes others"]:
    """Shared area of each pair over its union, or over the smaller box (`min`); 0 for boxes without area."""
    top_left = np.maximum(boxes[:, None, :2], others[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    areas, other_areas = _areas(boxes)[:, None], _areas(others)[None, :]
    whole = np.minimum(areas, other_areas) if overlap == "min" else areas + other_areas - shared
    return np.asarray(shared / np.where(whole > 0, whole, 1.0))


def _areas(boxes: np.ndarray) -> Float[np.ndarray, " boxes"]:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
