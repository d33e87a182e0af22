"""The plane on which parts are painted in layers, and how a painted part is laid into a frame."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from fercli.demo.strokes import Curve, Pen

Mask = Float32[np.ndarray, "height width"]
Light = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Canvas:
    """Size in pixels, pixels per face unit, and the pixel at which face unit (0, 0) lies."""

    height: int
    width: int
    scale: float
    origin: tuple[float, float]

    @classmethod
    def spanning(cls, extent: tuple[float, float, float, float], scale: float) -> "Canvas":
        """Cover `extent` (left, top, right, bottom in face units)."""
        left, top, right, bottom = extent
        return cls(round((bottom - top) * scale), round((right - left) * scale), scale, (-left * scale, -top * scale))

    def grid(self) -> tuple[Mask, Mask]:
        """Coordinates x and y of every pixel, face units."""
        columns = (np.arange(self.width, dtype=np.float32) - self.origin[0]) / self.scale
        rows = (np.arange(self.height, dtype=np.float32) - self.origin[1]) / self.scale
        x, y = np.meshgrid(columns, rows)
        return x.astype(np.float32), y.astype(np.float32)

    def mask(self, points: Curve) -> Mask:
        """1 inside the polygon, 0 outside, between at the edge."""
        plane = np.zeros((self.height, self.width), np.uint8)
        Pen(plane, self.scale, self.origin).fill(points, 255.0)
        return plane.astype(np.float32) / np.float32(255)


@dataclass(frozen=True, slots=True)
class Layers:
    """What has been painted so far; colours are premultiplied by `alpha`."""

    rgb: Float32[np.ndarray, "height width 3"]
    alpha: Mask

    @classmethod
    def empty(cls, canvas: Canvas) -> "Layers":
        """Begin with nothing."""
        shape = (canvas.height, canvas.width)
        return cls(np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32))

    def lay(self, paint: np.ndarray, mask: np.ndarray) -> None:
        """Lay paint over what is there."""
        self.rgb[...] = self.rgb * (1 - mask[..., None]) + paint * mask[..., None]
        self.alpha[...] = self.alpha * (1 - mask) + mask

    def to_bytes(
        self, gain: float = 1.0
    ) -> tuple[UInt8[np.ndarray, "height width 3"], UInt8[np.ndarray, "height width"]]:
        """Colour, `gain` times as bright, and alpha."""
        rgb = np.clip(self.rgb * gain, 0, 255).astype(np.uint8)
        return rgb, np.clip(self.alpha * 255, 0, 255).astype(np.uint8)


def blur(plane: Mask, sigma_px: float) -> Mask:
    """Soften a mask or a sheet of noise."""
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), max(sigma_px, 0.4)), np.float32)


def grain(shape: tuple[int, ...], sigma_px: float, rng: np.random.Generator) -> Mask:
    """Smooth noise of mean 0 and spread 1."""
    noise = blur(rng.normal(0, 1, shape).astype(np.float32), sigma_px)
    return np.asarray(noise / noise.std(), np.float32)


def paste(
    frame: UInt8[np.ndarray, "height width 3"],
    rgba: UInt8[np.ndarray, "rows columns 4"],
    matrix: Float64[np.ndarray, "2 3"],
) -> None:
    """Lay a premultiplied picture into `frame` in place; `matrix` takes its pixels to those of the frame."""
    height, width = rgba.shape[:2]
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)]) @ matrix[:, :2].T + matrix[:, 2]
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)), (frame.shape[1], frame.shape[0])).astype(int)
    if right <= left or bottom <= top:
        return
    local = matrix.copy()
    local[:, 2] -= (left, top)
    placed = cv2.warpAffine(rgba, local, (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR)
    clear = cv2.cvtColor(255 - placed[..., 3], cv2.COLOR_GRAY2RGB)
    part = frame[top:bottom, left:right]
    part[...] = cv2.add(cv2.multiply(part, clear, scale=1 / 255), cv2.cvtColor(placed, cv2.COLOR_RGBA2RGB))
