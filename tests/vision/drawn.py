"""A small shaded face, drawn from smooth blobs, that MTCNN takes for one."""

from collections.abc import Callable

import numpy as np

# Centre and half axes, in half face widths from the face's centre.
Disc = tuple[float, float, float, float]
Light = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Eyes, nose tip and mouth corners of `draw_face`, in half face widths from its centre.
LANDMARKS = np.array([[-0.42, -0.22], [0.42, -0.22], [0.0, 0.18], [-0.34, 0.55], [0.34, 0.55]])


def draw_room(height: int = 270, width: int = 480) -> np.ndarray:
    """An empty wall, lit from the left, with a window's edge so that it is not flat."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    wall = 150 - 40 * x / width + 10 * y / height
    room = np.stack([wall, wall * 0.97, wall * 0.9], axis=2)
    room[:, (x[0] % 160) < 6] *= 0.8
    return room.astype(np.uint8)


def _from_the_left(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.clip(1.08 - 0.22 * (u + 0.35) ** 2 - 0.1 * v**2, 0.45, 1.1)


def draw_face(frame: np.ndarray, center: tuple[float, float], width_px: float, tilt_deg: float = 0.0) -> np.ndarray:
    """Draw a face `width_px` wide into `frame` (in place); return its landmarks in pixels."""
    half = width_px / 2
    angle = np.radians(tilt_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    soft = 1.5 / half
    image = frame.astype(np.float64)

    def paint(disc: Disc, color: tuple[float, float, float], strength: float = 1.0, light: Light | None = None) -> None:
        """Blend a disc in, looking at no pixel that it does not reach."""
        cx, cy, rx, ry = disc
        middle = np.array([cx, cy]) @ turn * half + np.asarray(center)
        reach = max(rx, ry) * (1 + soft / min(rx, ry) / 2) * half + 1
        (left, top), (right, bottom) = (np.clip(middle + way * reach, 0, None).astype(int) for way in (-1, 1))
        y, x = np.ogrid[: frame.shape[0], : frame.shape[1]]
        dx, dy = x[:, left : right + 1] - center[0], y[top : bottom + 1] - center[1]
        u, v = ((dx * a + dy * b) / half for a, b in turn)
        radius = np.hypot((u - cx) / rx, (v - cy) / ry)
        mask = np.clip((1 - radius) * min(rx, ry) / soft + 0.5, 0, 1)[..., None] * strength
        shade = light(u, v)[..., None] if light else 1.0
        part = image[top : bottom + 1, left : right + 1]
        part[:] = part * (1 - mask) + mask * np.asarray(color) * shade

    paint((0, -0.25, 1.12, 1.35), (52, 38, 30))
    paint((0, 0.1, 0.95, 1.25), (214, 168, 140), light=_from_the_left)
    for side in (-1, 1):
        paint((side * 0.42, -0.2, 0.3, 0.17), (150, 105, 85), 0.55)
        paint((side * 0.42, -0.22, 0.2, 0.1), (236, 232, 228))
        paint((side * 0.42, -0.22, 0.1, 0.1), (40, 28, 22))
        paint((side * 0.42, -0.48, 0.28, 0.06), (60, 42, 32))
        paint((side * 0.12, 0.22, 0.06, 0.04), (120, 75, 60))
    paint((0.08, 0.0, 0.1, 0.3), (150, 105, 85), 0.35)
    paint((0, 0.2, 0.2, 0.1), (170, 115, 95), 0.35)
    paint((0, 0.56, 0.36, 0.1), (165, 78, 74))
    paint((0, 0.555, 0.3, 0.02), (90, 40, 40))
    frame[:] = np.clip(image, 0, 255).astype(np.uint8)
    return LANDMARKS @ turn * half + np.asarray(center)
