"""Pencil and brush: curves in face units become smooth polygons and soft strokes on a picture."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from fercli.demo.identity import Color

# OpenCV takes polygon corners in sixteenths of a pixel.
_SHIFT = 4

Curve = Float[np.ndarray, "points 2"]


def smooth_curve(points: Curve, *, closed: bool = False, steps: int = 6) -> Float[np.ndarray, "_ 2"]:
    """Run a Catmull-Rom curve through `points`, `steps` pieces between neighbours."""
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    bend = (2 * before - 5 * start + 4 * end - after) * t**2 + (3 * start - before - 3 * end + after) * t**3
    curve = 0.5 * (2 * start + (end - before) * t + bend)
    flat = curve.transpose(1, 0, 2).reshape(-1, 2)
    return flat if closed else np.concatenate([flat, points[-1:]])


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws on `image` (RGB, or a mask of one channel) in face units.

    Attributes:
        scale: pixels per unit.
        origin: the pixel at which unit (0, 0) lies.
    """

    image: UInt8[np.ndarray, "height width *channels"]
    scale: float
    origin: tuple[float, float]

    def pixels(self, points: Curve) -> np.ndarray:
        """Turn face units into pixels."""
        return points * self.scale + self.origin

    def fill(self, points: Curve, color: Color | float) -> None:
        """Fill a polygon."""
        cv2.fillPoly(self.image, [_fixed(self.pixels(points))], color, cv2.LINE_AA, _SHIFT)

    def line(self, points: Curve, color: Color | float, width: float) -> None:
        """Draw a line of `width` units, at least one pixel."""
        thickness = max(1, round(width * self.scale))
        cv2.polylines(self.image, [_fixed(self.pixels(points))], False, color, thickness, cv2.LINE_AA, _SHIFT)

    def disc(self, center: tuple[float, float], radius: float, color: Color | float) -> None:
        """Fill a circle."""
        x, y = center[0] * self.scale + self.origin[0], center[1] * self.scale + self.origin[1]
        at = (round(x * 16), round(y * 16))
        cv2.circle(self.image, at, round(radius * self.scale * 16), color, -1, cv2.LINE_AA, _SHIFT)


def blend(
    part: UInt8[np.ndarray, "height width 3"],
    color: Color | UInt8[np.ndarray, "height width 3"],
    mask: UInt8[np.ndarray, "height width"],
) -> None:
    """Move `part` towards `color` in place, as far as `mask` (255 is all the way) says."""
    weight = mask.astype(np.int16)[..., None]
    paint = np.asarray(color, dtype=np.int16)
    shifted = part + ((paint - part) * weight.astype(np.int32) + 127) // 255
    part[...] = shifted.astype(np.uint8)


def curve(x: np.ndarray, y: np.ndarray) -> Curve:
    """Join coordinates into points."""
    return np.stack([x, y], axis=1)


def moved(points: Curve, x: float, y: float) -> Curve:
    """Shift points."""
    return np.asarray(points + np.array((x, y)))


def between(first: Curve, second: Curve) -> Float[np.ndarray, "outline 2"]:
    """Outline of what lies between two curves that run the same way."""
    return np.concatenate([first, second[::-1]])


def tone(color: Color, factor: float) -> Color:
    """Make a colour lighter or darker."""
    red, green, blue = (min(max(part * factor, 0.0), 255.0) for part in color)
    return (red, green, blue)


def mix_colors(first: Color, second: Color, weight: float) -> Color:
    """Go the share `weight` of the way from `first` to `second`."""
    red, green, blue = (a * (1 - weight) + b * weight for a, b in zip(first, second, strict=True))
    return (red, green, blue)


def _fixed(pixels: np.ndarray) -> np.ndarray:
    return np.round(pixels * (1 << _SHIFT)).astype(np.int32)
