"""Boxes and words drawn on a frame, so that they can be read on any ground."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]

# Okabe and Ito's colours, told apart by colour-blind readers; black is left out, it is lost in dark rooms.
# Source: Wong, "Points of view: Color blindness", Nature Methods 8, 441, 2011.
COLORS: tuple[Color, ...] = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167),
    (255, 255, 255),
)  # fmt: skip
_FONT_SHARE, _LEAST_FONT_PX = 1 / 34, 14
_LINE_SHARE, _LEAST_LINE_PX = 1 / 360, 2


@dataclass(frozen=True)
class Mark:
    """A box in frame pixels, and the words that stand on it."""

    left: float
    top: float
    width: float
    height: float
    text: str
    color: Color


def draw_marks(
    image: UInt8[np.ndarray, "height width 3"], marks: Sequence[Mark], font: Path | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """A copy of `image` with boxes, and above each its words on a ground of its colour.

    Words that find no room above the box stand in it; what lies beyond the frame is cut off.

    Args:
        image: RGB.
        marks: drawn in their order.
        font: a TrueType file; Pillow's own, which has only ASCII, by default.
    """
    drawn = image.copy()
    height = image.shape[0]
    line = max(_LEAST_LINE_PX, round(height * _LINE_SHARE))
    for mark in marks:
        _draw_box(drawn, mark, line)
    for mark in marks:
        label = _label(mark.text, mark.color, max(_LEAST_FONT_PX, round(height * _FONT_SHARE)), font)
        _paste(drawn, label, mark, line)
    return drawn


def _draw_box(image: np.ndarray, mark: Mark, line: int) -> None:
    left, top = round(mark.left), round(mark.top)
    right, bottom = round(mark.left + mark.width), round(mark.top + mark.height)
    for x0, y0, x1, y1 in (
        (left, top, right, top + line),
        (left, bottom - line, right, bottom),
        (left, top, left + line, bottom),
        (right - line, top, right, bottom),
    ):
        image[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = mark.color


def _paste(image: np.ndarray, label: np.ndarray, mark: Mark, line: int) -> None:
    above = round(mark.top) - label.shape[0]
    top = above if above >= 0 else max(round(mark.top) + line, 0)
    left = max(0, min(round(mark.left), image.shape[1] - label.shape[1]))
    room = image[top : top + label.shape[0], left : left + label.shape[1]]
    room[:] = label[: room.shape[0], : room.shape[1]]


@lru_cache(maxsize=256)
def _label(text: str, color: Color, size_px: int, font: Path | None) -> np.ndarray:
    """Words in black or white, whichever is read better, on a ground of `color`."""
    letters = ImageFont.truetype(str(font), size_px) if font else ImageFont.load_default(size_px)
    left, _, right, _ = letters.getbbox(text)
    pad = max(2, size_px // 6)
    picture = Image.new("RGB", (round(right - left) + 2 * pad, round(size_px * 1.25) + pad), color)
    # Brightness as the eye weighs the three colours (ITU-R BT.601).
    is_bright = np.dot(color, (0.299, 0.587, 0.114)) > 140
    place = (pad - left, picture.height // 2)
    ImageDraw.Draw(picture).text(place, text, fill="black" if is_bright else "white", font=letters, anchor="lm")
    return np.asarray(picture)
