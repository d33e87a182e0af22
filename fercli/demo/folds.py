"""Folds that an expression makes in the skin, laid on as one soft layer of shade and light."""

import cv2
import numpy as np

from fercli.demo.expressions import Expression
from fercli.demo.eyes import Brow, Eye
from fercli.demo.mouth import Mouth
from fercli.demo.shape import FaceShape
from fercli.demo.strokes import Pen, moved

# In the layer this leaves the skin as it is; less is shade, more is light.
_PLAIN = 128.0
_AREA = (-0.85, -0.75, 0.85, 1.4)
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 15)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 15)[:-1])], 1)


def shade_folds(
    pen: Pen, shape: FaceShape, face: Expression, eyes: tuple[Eye, Eye], *, brows: tuple[Brow, Brow], mouth: Mouth
) -> None:
    """Shade the skin beside nose, mouth and eyes and between the brows as the expression asks."""
    left, top = (round(pen.origin[axis] + _AREA[axis] * pen.scale) for axis in (0, 1))
    right, bottom = (round(pen.origin[axis] + _AREA[axis + 2] * pen.scale) for axis in (0, 1))
    layer = np.full((bottom - top, right - left), _PLAIN, np.uint8)
    soft = Pen(layer, pen.scale, (pen.origin[0] - left, pen.origin[1] - top))
    _lay_cheeks(soft, shape, face, mouth)
    for eye in eyes:
        strength = max(0.5 * face.bags, 0.4 * (face.squint - 0.25))
        soft.line(moved(eye.lower[2:-2], 0, 0.085), _shade(strength), 0.045)
    for side, brow in zip((-1, 1), brows, strict=True):
        _lay_frown(soft, shape, face, brow, side=side)
    layer = cv2.GaussianBlur(layer, (0, 0), max(0.028 * pen.scale, 0.5))
    part = pen.image[top:bottom, left:right]
    cv2.multiply(part, cv2.cvtColor(layer, cv2.COLOR_GRAY2RGB), part, scale=1 / _PLAIN)


def _shade(strength: float) -> float:
    return _PLAIN * (1 - 0.62 * min(max(strength, 0.0), 1.0))


def _lay_cheeks(soft: Pen, shape: FaceShape, face: Expression, mouth: Mouth) -> None:
    smile, sulk = face.cheek, max(0.0, -face.mouth_curve)
    for side, corner in zip((-1, 1), mouth.corners, strict=True):
        if smile > 0.2:
            for size, light in ((1.25, 0.05), (0.8, 0.11)):
                ball = (side * 0.56, 0.38) + size * _CIRCLE * (0.17, 0.12)
                soft.fill(ball, _PLAIN * (1 + light * smile))
        start, end = np.array((side * 0.25, shape.nose_y + 0.03)), corner + np.array((side * 0.1, 0.0))
        middle = (start + end) / 2 + (side * (0.03 + 0.05 * smile), -0.03)
        soft.line(np.stack([start, middle, end]), _shade(0.14 + 0.5 * smile + 0.18 * sulk), 0.03)
    if sulk > 0.2:
        for side, corner in zip((-1, 1), mouth.corners, strict=True):
            soft.line(np.stack([corner, corner + np.array((side * 0.035, 0.11))]), _shade(0.8 * sulk), 0.03)


def _lay_frown(soft: Pen, shape: FaceShape, face: Expression, brow: Brow, *, side: int) -> None:
    if face.brow_knit > 0.25:
        start = np.array((side * 0.055, shape.brow_y - 0.02 - brow.lift))
        soft.line(np.stack([start, start + np.array((-side * 0.01, 0.15))]), _shade(0.7 * face.brow_knit), 0.035)
    if brow.lift > 0.05:
        soft.line(moved(brow.line[1:-1], 0, -0.17), _shade(min(4.5 * (brow.lift - 0.03), 0.6)), 0.025)
