"""Pictures in titled rows to one contact sheet."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

TILE_PX = 80
_TITLE_PX, _GAP_PX = 190, 4
_BACKGROUND, _INK, _FAINT = 255, (30, 30, 30), (110, 110, 110)


@dataclass(frozen=True)
class SheetRow:
    """One row: a title, a fainter line below it, and pictures (RGB, any size)."""

    title: str
    note: str
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]]


def contact_sheet(rows: Sequence[SheetRow], *, num_columns: int = 10) -> UInt8[np.ndarray, "height width 3"]:
    """Draw the rows below each other, at most `num_columns` pictures each.

    Letters outside ASCII are drawn as question marks, for OpenCV has no others.
    """
    step = TILE_PX + _GAP_PX
    width = _TITLE_PX + num_columns * step + _GAP_PX
    sheet = np.full((max(len(rows), 1) * step + _GAP_PX, width, 3), _BACKGROUND, np.uint8)
    for place, row in enumerate(rows):
        top = _GAP_PX + place * step
        _write(sheet, row.title, top + 34, scale=0.5, ink=_INK)
        _write(sheet, row.note, top + 54, scale=0.38, ink=_FAINT)
        for column, image in enumerate(row.images[:num_columns]):
            left = _TITLE_PX + column * step
            sheet[top : top + TILE_PX, left : left + TILE_PX] = _tile(image)
    return sheet


def _tile(image: np.ndarray) -> np.ndarray:
    shrinks = min(image.shape[:2]) > TILE_PX
    return np.asarray(
        cv2.resize(image, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    )


def _write(sheet: np.ndarray, text: str, baseline: int, *, scale: float, ink: tuple[int, int, int]) -> None:
    plain = text.encode("ascii", errors="replace").decode("ascii")
    cv2.putText(sheet, plain, (_GAP_PX + 2, baseline), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)
