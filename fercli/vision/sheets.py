"""Lay images in titled rows on one contact sheet."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

TILE_PX = 80
# The least width of the words before the pictures.
_TITLE_PX, _GAP_PX = 190, 4
_TITLE_SCALE, _NOTE_SCALE = 0.5, 0.38
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
    titles = [(row.title, _TITLE_SCALE) for row in rows] + [(row.note, _NOTE_SCALE) for row in rows]
    title_px = max([_TITLE_PX, *(_width_of(text, scale) for text, scale in titles)])
    width = title_px + num_columns * step + _GAP_PX
    sheet = np.full((max(len(rows), 1) * step + _GAP_PX, width, 3), _BACKGROUND, np.uint8)
    for place, row in enumerate(rows):
        top = _GAP_PX + place * step
        _write(sheet, row.title, top + 34, scale=_TITLE_SCALE, ink=_INK)
        _write(sheet, row.note, top + 54, scale=_NOTE_SCALE, ink=_FAINT)
        for column, image in enumerate(row.images[:num_columns]):
            left = title_px + column * step
            sheet[top : top + TILE_PX, left : left + TILE_PX] = _tile(image)
    return sheet


def _tile(image: np.ndarray) -> np.ndarray:
    shrinks = min(image.shape[:2]) > TILE_PX
    return np.asarray(
        cv2.resize(image, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    )


def _width_of(text: str, scale: float) -> int:
    (width, _), _ = cv2.getTextSize(_plain(text), cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    return int(width) + 4 * _GAP_PX


def _plain(text: str) -> str:
    return text.encode("ascii", errors="replace").decode("ascii")


def _write(sheet: np.ndarray, text: str, baseline: int, *, scale: float, ink: tuple[int, int, int]) -> None:
    cv2.putText(sheet, _plain(text), (_GAP_PX + 2, baseline), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)
