"""The mouth: lips along a line that smiles or sinks, teeth and tongue where it is open."""

from dataclasses import dataclass

import numpy as np

from fercli.demo.expressions import Expression
from fercli.demo.identity import Color, Identity
from fercli.demo.shape import FaceShape
from fercli.demo.strokes import Curve, Pen, between, curve, mix_colors, tone

_T = np.linspace(-1, 1, 17)
_SWELL = 1 - _T**2
_BOW = 1 - 0.22 * np.exp(-((_T / 0.16) ** 2))


@dataclass(frozen=True, slots=True)
class Mouth:
    """Curves from corner to corner: outer edge of the upper lip, both inner edges, outer edge of the lower lip."""

    top: Curve
    above: Curve
    below: Curve
    bottom: Curve

    @property
    def corners(self) -> Curve:
        """Left and right corner."""
        return self.above[[0, -1]]


def place_mouth(identity: Identity, shape: FaceShape, face: Expression) -> Mouth:
    """Bend the lips: corners rise with a smile, the middle sinks a little."""
    smile = face.mouth_curve + identity.rest_curve
    half = identity.mouth_width * (1 + 0.22 * face.mouth_width + 0.06 * max(face.mouth_curve, 0.0))
    x = face.mouth_shift + half * _T
    line = shape.mouth_y + smile * (0.05 - 0.19 * _T**2) - 0.095 * face.mouth_skew * _T
    full = identity.lip_fullness * (1 - 0.6 * face.lip_press) * (1 - 0.2 * max(face.mouth_curve, 0.0))
    gap = face.mouth_open
    above = line - 0.09 * gap * _SWELL
    below = line + (0.16 + 0.26 * gap) * max(gap, 0.0) ** 0.8 * _SWELL**0.6
    top = above - 0.09 * full * _SWELL**0.75 * _BOW
    return Mouth(*(curve(x, y) for y in (top, above, below, below + 0.125 * full * _SWELL**0.6)))


def draw_mouth(pen: Pen, identity: Identity, shape: FaceShape, face: Expression, *, mouth: Mouth) -> None:
    """Draw the lips and what is between them."""
    lip = _lip_color(pen, identity, shape)
    pen.fill(between(mouth.top, mouth.above), tone(lip, 0.86))
    pen.fill(between(mouth.below, mouth.bottom), tone(lip, 1.04))
    pen.line(((mouth.below + mouth.bottom) / 2)[5:-5], tone(lip, 1.16), 0.025)
    if face.mouth_open > 0.04:
        _draw_opening(pen, face, mouth)
    else:
        pen.line(mouth.above, tone(lip, 0.36), 0.03)
    for corner in mouth.corners:
        pen.disc((float(corner[0]), float(corner[1])), 0.022, tone(lip, 0.5))


def _draw_opening(pen: Pen, face: Expression, mouth: Mouth) -> None:
    pen.fill(between(mouth.above, mouth.below), (54.0, 18.0, 20.0))
    if face.mouth_open > 0.5:
        high = (mouth.above + 3 * mouth.below) / 4
        pen.fill(between(high[4:-4], mouth.below[4:-4]), (140.0, 64.0, 66.0))
    if face.teeth > 0.3:
        share = 0.62 - 0.25 * max(face.mouth_open - 0.3, 0.0)
        edge = mouth.above * (1 - share) + mouth.below * share
        pen.fill(between(mouth.above[2:-2], edge[2:-2]), (226.0, 220.0, 208.0))


def _lip_color(pen: Pen, identity: Identity, shape: FaceShape) -> Color:
    """Redder and darker than the lit skin above the mouth."""
    row, column = round(pen.origin[1] + (shape.mouth_y - 0.2) * pen.scale), round(pen.origin[0])
    red, green, blue = (float(part) for part in pen.image[row, column])
    lit = mix_colors((red, green, blue), identity.skin, 0.3)
    return (lit[0] * 0.86, lit[1] * 0.62, lit[2] * 0.64)
