"""Pack small levels of a pyramid into one image for PNet, and map its cells back to the levels."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

# PNet's cells lie two pixels apart; the grey of mtcnn_fast.sample_crops is between the levels.
_STRIDE, _GREY = 2, 128
# Sides are multiples of these: pictures of nearly one size share a model of OpenVINO's, which takes 40 ms to make.
_STEP_HEIGHT_PX, _STEP_WIDTH_PX = 16, 128
Cells = tuple[slice, slice]


def lay_out(levels: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> tuple[UInt8[np.ndarray, "height width 3"], list[Cells]]:
    """One picture of all levels side by side, the largest first, and which of PNet's rows and columns each has there.

    The cells that see beyond their level, one row and one column of levels of odd size, see its last pixels twice.
    """
    # An even number of pixels, and at least one more than the level has.
    widths = [_STRIDE * (level.shape[1] // _STRIDE + 1) for level in levels]
    height = _STEP_HEIGHT_PX * (levels[0].shape[0] // _STEP_HEIGHT_PX + 1)
    width = _STEP_WIDTH_PX * -(-sum(widths) // _STEP_WIDTH_PX)
    canvas = np.full((height, width, 3), _GREY, np.uint8)
    cells, left = [], 0
    for level, step in zip(levels, widths, strict=True):
        rows, columns = level.shape[:2]
        framed = cv2.copyMakeBorder(level, 0, 1, 0, 1, cv2.BORDER_REPLICATE)
        canvas[: rows + 1, left : left + columns + 1] = framed
        first = left // _STRIDE
        cells.append((slice(0, _num_cells(rows)), slice(first, first + _num_cells(columns))))
        left += step
    return canvas, cells


def _num_cells(length: int) -> int:
    """PNet's cells along a side: windows of 12 at stride 2, the last of which may see 11 pixels."""
    return (length - 1) // _STRIDE - 4
