"""The form of a head: outline, features and relief, from which shading and turning follow.

Face units: the origin lies midway between the eyes, x to the viewer's right, y down; 1 is half the width of an
average face. Proportions are those of adults' faces (eyes 0.9 apart, mouth 1.0 below them).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fercli.demo.identity import Identity
from fercli.demo.strokes import Curve, smooth_curve

Plane = Float[np.ndarray, "height width"]

# Half the width of a head at each height; the row of the jaw and those below are scaled by the identity.
_OUTLINE = (
    (0.0, -1.58),
    (0.42, -1.52),
    (0.76, -1.25),
    (0.95, -0.82),
    (1.01, -0.3),
    (0.99, 0.2),
    (0.95, 0.6),
    (0.86, 0.98),
    (0.66, 1.32),
    (0.36, 1.57),
    (0.0, 1.64),
)


@dataclass(frozen=True, slots=True)
class FaceShape:
    """Where the features of one face lie."""

    eye_x: float
    brow_y: float
    nose_y: float
    mouth_y: float
    chin_y: float
    outline: Curve


def shape_face(identity: Identity) -> FaceShape:
    """Place the features of `identity`."""
    half = np.array(_OUTLINE)
    low = np.clip((half[:, 1] - 0.2) / 0.8, 0, 1)
    half[:, 0] *= identity.face_width * (1 + (identity.jaw - 1) * low)
    half[:, 1] += identity.chin * np.clip((half[:, 1] - 0.6) / 0.9, 0, 1)
    mirrored = half[-2:0:-1] * (-1, 1)
    return FaceShape(
        eye_x=identity.eye_distance,
        brow_y=-identity.brow_height,
        nose_y=0.55 + identity.nose_length,
        mouth_y=1.03 + identity.mouth_height + 0.4 * identity.nose_length,
        chin_y=1.64 + identity.chin,
        outline=smooth_curve(np.concatenate([half, mirrored]), closed=True),
    )


def carve_relief(shape: FaceShape, identity: Identity, x: Plane, y: Plane) -> Plane:
    """Height of the face above the plane of its outline, face units, at the points (x, y)."""
    width = identity.face_width
    dome = np.sqrt(np.clip(1 - (x / (1.1 * width)) ** 2 - ((y - 0.03) / 1.78) ** 2, 0, None))
    side = np.abs(x)

    def bump(height: float, at: tuple[float, float], spread: tuple[float, float]) -> Plane:
        return np.asarray(height * np.exp(-(((side - at[0]) / spread[0]) ** 2) - ((y - at[1]) / spread[1]) ** 2))

    nose = identity.nose_width
    tip, mouth = shape.nose_y, shape.mouth_y
    along = np.clip(y / tip, 0, 1)
    ridge = 0.17 * along * np.exp(-((x / (0.13 * nose)) ** 2)) * (y > 0) * np.clip((tip + 0.12 - y) / 0.1, 0, 1)
    relief = 0.9 * dome + ridge
    relief += bump(0.17, (0, tip), (0.16 * nose, 0.13)) + bump(0.07, (0.17 * nose, tip + 0.05), (0.08, 0.08))
    relief -= bump(0.15, (shape.eye_x - 0.02, -0.02), (0.25, 0.16))
    relief += bump(0.06, (0.4, shape.brow_y - 0.02), (0.32, 0.1))
    relief += bump(0.09, (0.56, 0.48), (0.26, 0.26)) + bump(0.06, (0, mouth), (0.3, 0.15))
    relief += bump(0.09, (0, shape.chin_y - 0.2), (0.22, 0.16)) - bump(0.05, (0, mouth + 0.21), (0.24, 0.06))
    return np.asarray(relief, np.float32)


def shade_relief(relief: Plane, scale: float, light: tuple[float, float, float]) -> Plane:
    """Brightness of a relief in diffuse light, 1 where it faces us; `light` points to the light, y down, z to us."""
    down, across = np.gradient(relief.astype(np.float64), 1 / scale)
    length = np.sqrt(across**2 + down**2 + 1)
    direction = np.asarray(light) / np.linalg.norm(light)
    facing = np.clip((-across * direction[0] - down * direction[1] + direction[2]) / length, 0, None)
    glance = np.clip(facing, 0, 1) ** 14
    return np.asarray((0.52 + 0.56 * facing + 0.07 * glance) / (0.52 + 0.56 * direction[2]), dtype=np.float32)


def jaw_share(shape: FaceShape, y: Plane) -> Plane:
    """How far a point goes along when the jaw drops: 0 above the lips, 1 at the chin."""
    t = np.clip((y - shape.mouth_y + 0.02) / 0.7, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
