"""Eyes and brows: curves of the lids first, because folds follow them, then the drawing."""

from dataclasses import dataclass

import numpy as np

from fercli.demo.expressions import Expression
from fercli.demo.identity import Color, Identity
from fercli.demo.shape import FaceShape
from fercli.demo.strokes import Curve, Pen, between, blend, curve, mix_colors, moved, tone

_LASH: Color = (26.0, 18.0, 18.0)
_T = np.linspace(-1, 1, 13)
_BOW = 1 - np.abs(_T) ** 2.3
_BROW_T = np.linspace(0, 1, 9)


@dataclass(frozen=True, slots=True)
class Eye:
    """Lids of one eye: the fold above it, the edges of the lids and where the iris is."""

    fold: Curve
    upper: Curve
    lower: Curve
    iris: tuple[float, float]
    lid: float


@dataclass(frozen=True, slots=True)
class Brow:
    """Middle line of one brow from the nose outwards, its half thickness, and how far it is lifted."""

    line: Curve
    thickness: np.ndarray
    lift: float


def place_eye(identity: Identity, shape: FaceShape, face: Expression, side: int) -> Eye:
    """Bend the lids of one eye; `side` is -1 for the left one, 1 for the right one."""
    lid = float(np.clip((face.lid_right if side > 0 else face.lid_left) + identity.rest_lid, 0.03, 1.2))
    x = side * shape.eye_x + 0.215 * identity.eye_size * _T
    slant = -identity.eye_tilt * side * _T
    lower = 0.075 * (1 - 0.55 * face.squint) * (1 - _T**2) + slant + 0.015
    wide = -0.14 * identity.eye_size * _BOW + slant
    # A gaze that goes down takes the lid along.
    upper = lower + (wide - lower) * lid + 0.035 * max(face.gaze_y, 0.0) * lid * _BOW
    iris = (side * shape.eye_x + 0.115 * face.gaze_x, -0.02 + 0.065 * face.gaze_y)
    return Eye(curve(x, wide - 0.055), curve(x, upper), curve(x, lower), iris, lid)


def draw_eye(pen: Pen, identity: Identity, eye: Eye, skin: Color) -> None:
    """Draw the lid, what can be seen of the eyeball, and the lashes; `skin` is the lit colour of the lid."""
    pen.fill(between(eye.fold, eye.upper), tone(skin, 0.97))
    pen.line(eye.fold[1:-1], tone(skin, 0.78 - 0.1 * min(eye.lid, 1.0)), 0.02)
    if eye.lid > 0.08:
        _draw_eyeball(pen, identity, eye)
    pen.line(moved(eye.lower, 0, 0.01), tone(skin, 0.62), 0.018)
    pen.line(eye.upper, mix_colors(_LASH, skin, 0.12), 0.035)


def _draw_eyeball(pen: Pen, identity: Identity, eye: Eye) -> None:
    """White, iris and light point, seen through the opening of the lids."""
    opening = between(eye.upper, eye.lower)
    pixels = pen.pixels(opening)
    left, top = np.floor(pixels.min(axis=0)).astype(int) - 1
    right, bottom = np.ceil(pixels.max(axis=0)).astype(int) + 2
    part = pen.image[top:bottom, left:right]
    origin = (pen.origin[0] - float(left), pen.origin[1] - float(top))
    ball, mask = np.empty(part.shape, np.uint8), np.zeros(part.shape[:2], np.uint8)
    ball[...] = (222, 216, 211)
    inside = Pen(ball, pen.scale, origin)
    inside.disc(eye.iris, 0.112, tone(identity.iris, 0.55))
    inside.disc(eye.iris, 0.092, identity.iris)
    inside.disc(eye.iris, 0.05, (14.0, 10.0, 10.0))
    inside.line(moved(eye.upper, 0, 0.03), (120.0, 108.0, 104.0), 0.02)
    inside.disc((eye.iris[0] - 0.035, eye.iris[1] - 0.04), 0.022, (245.0, 245.0, 245.0))
    Pen(mask, pen.scale, origin).fill(opening, 255.0)
    blend(part, ball, mask)


def place_brow(identity: Identity, shape: FaceShape, face: Expression, side: int) -> Brow:
    """Bend one brow; height, slope and nearness to the nose carry much of an expression."""
    lift = (face.brow_right if side > 0 else face.brow_left) + identity.rest_brow
    tilt = face.brow_tilt_right if side > 0 else face.brow_tilt_left
    t = _BROW_T
    x = side * (shape.eye_x - 0.26 - 0.05 * face.brow_knit + (0.56 + 0.05 * face.brow_knit) * t)
    arch = identity.brow_arch * np.sin(np.pi * t**1.3) + 0.3 * max(lift, 0.0) * np.sin(np.pi * t)
    y = shape.brow_y - lift - arch - tilt * (1 - 1.7 * t) + 0.07 * t**3
    thickness = identity.brow_thickness * (0.05 * np.sqrt(1 - 0.92 * t**2) * np.minimum(1, 0.55 + 2.5 * t) + 0.006)
    return Brow(curve(x, y), thickness, lift)


def draw_brow(pen: Pen, identity: Identity, brow: Brow, skin: Color) -> None:
    """Draw a brow: darker than the hair, its rim mixed with skin."""
    hair = identity.hair if identity.hair_style != "scarf" else tone(identity.skin, 0.25)
    for spread, share in ((1.25, 0.55), (0.9, 0.1)):
        half = curve(np.zeros_like(brow.thickness), spread * brow.thickness)
        pen.fill(between(brow.line - half, brow.line + half), mix_colors(tone(hair, 0.75), skin, share))
