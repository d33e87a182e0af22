"""Hair, beard and headscarf: masks by polygon, strands by stretched noise."""

import cv2
import numpy as np

from fercli.demo.canvas import Canvas, Mask, blur, grain
from fercli.demo.identity import HairStyle, Identity
from fercli.demo.strokes import smooth_curve

# Right half of the volume around the skull, crown first: x, y in face units.
_VOLUMES: dict[HairStyle, tuple[tuple[float, float], ...]] = {
    "short": ((0, -1.84), (0.55, -1.74), (0.95, -1.38), (1.1, -0.85), (1.07, -0.35), (1.03, 0.02), (0.9, 0.12)),
    "buzz": ((0, -1.64), (0.48, -1.56), (0.85, -1.25), (1.01, -0.8), (1.04, -0.4), (1.02, -0.05), (0.92, 0.05)),
    "parted": ((0, -1.88), (0.6, -1.76), (1.0, -1.35), (1.12, -0.8), (1.08, -0.3), (1.02, 0.05), (0.9, 0.15)),
    "fringe": ((0, -1.86), (0.6, -1.74), (1.02, -1.35), (1.16, -0.75), (1.16, -0.1), (1.1, 0.5), (0.95, 0.55)),
    "bob": ((0, -1.86), (0.62, -1.74), (1.06, -1.3), (1.24, -0.6), (1.3, 0.2), (1.3, 0.95), (1.05, 1.25)),
    "long": ((0, -1.86), (0.62, -1.74), (1.06, -1.3), (1.22, -0.6), (1.26, 0.3), (1.3, 1.2), (1.15, 1.75)),
    "curly": ((0, -2.02), (0.7, -1.9), (1.2, -1.42), (1.36, -0.8), (1.32, -0.2), (1.15, 0.25), (0.92, 0.2)),
    "bun": ((0, -1.8), (0.52, -1.7), (0.94, -1.36), (1.08, -0.85), (1.07, -0.35), (1.02, -0.02), (0.92, 0.08)),
    "scarf": ((0, -1.86), (0.6, -1.74), (1.04, -1.32), (1.2, -0.6), (1.18, 0.3), (1.1, 1.1), (0.8, 1.85)),
}

# Lower edge of the hair over the forehead, from the left temple to the right one.
_HAIRLINES: dict[HairStyle, tuple[tuple[float, float], ...]] = {
    "short": ((-0.9, 0.1), (-0.9, -0.5), (-0.62, -0.82), (0, -0.95), (0.62, -0.82), (0.9, -0.5), (0.9, 0.1)),
    "buzz": ((-0.94, 0.0), (-0.92, -0.55), (-0.66, -0.92), (0, -1.0), (0.66, -0.92), (0.92, -0.55), (0.94, 0.0)),
    "parted": ((-0.9, 0.1), (-0.9, -0.45), (-0.7, -0.75), (-0.32, -1.05), (0.3, -0.72), (0.86, -0.45), (0.9, 0.1)),
    "fringe": ((-0.9, 0.5), (-0.88, -0.3), (-0.6, -0.5), (0, -0.56), (0.6, -0.5), (0.88, -0.3), (0.9, 0.5)),
    "bob": ((-0.96, 1.1), (-0.88, 0.2), (-0.82, -0.4), (-0.1, -1.08), (0.72, -0.55), (0.9, 0.2), (0.98, 1.1)),
    "long": ((-0.98, 1.7), (-0.9, 0.3), (-0.8, -0.45), (0.0, -1.12), (0.8, -0.45), (0.9, 0.3), (0.98, 1.7)),
    "curly": ((-0.9, 0.15), (-0.9, -0.5), (-0.6, -0.8), (0, -0.88), (0.6, -0.8), (0.9, -0.5), (0.9, 0.15)),
    "bun": ((-0.92, 0.05), (-0.9, -0.55), (-0.6, -0.92), (0, -1.04), (0.6, -0.92), (0.9, -0.55), (0.92, 0.05)),
    "scarf": ((-0.66, 1.3), (-0.86, 0.8), (-0.88, -0.1), (0, -1.0), (0.88, -0.1), (0.86, 0.8), (0.66, 1.3)),
}


def hair_mask(identity: Identity, canvas: Canvas, rng: np.random.Generator) -> Mask:
    """What the hair (or headscarf) covers in front: its volume without the face below the hairline."""
    style = identity.hair_style
    half = np.array(_VOLUMES[style])
    half[:, 0] *= identity.face_width
    volume = canvas.mask(smooth_curve(np.concatenate([half[::-1] * (-1, 1), half[1:]])))
    edge = np.array(_HAIRLINES[style]) * (identity.face_width, 1)
    edge[:, 1] += rng.uniform(-0.06, 0.04)
    if style == "parted" and rng.random() < 0.5:
        edge = edge[::-1] * (-1, 1)
    line = smooth_curve(edge, steps=10)
    if style in ("fringe", "curly", "short"):
        line[:, 1] += rng.normal(0, 0.018, len(line))
    below = 1.5 if style == "scarf" else 2.6
    ends = np.array([(0.6 * edge[-1, 0], below), (0.6 * edge[0, 0], below)])
    face = canvas.mask(np.concatenate([line, ends]))
    mask = volume * (1 - face)
    if style == "bun":
        mask = np.maximum(mask, _bun(canvas))
    if style == "curly":
        mask = _frizz(mask, canvas, rng)
    return blur(mask, 0.018 * canvas.scale)


def _bun(canvas: Canvas) -> Mask:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return canvas.mask(np.stack([0.42 * np.cos(angle), -1.85 + 0.3 * np.sin(angle)], axis=1))


def _frizz(mask: Mask, canvas: Canvas, rng: np.random.Generator) -> Mask:
    """Make the outline of curls uneven."""
    soft = blur(mask, 0.07 * canvas.scale)
    ragged = soft + 0.8 * soft * (1 - soft) * grain(mask.shape, 0.06 * canvas.scale, rng)
    return np.asarray(np.clip((ragged - 0.4) * 5, 0, 1), np.float32)


def strand_texture(identity: Identity, canvas: Canvas, rng: np.random.Generator) -> Mask:
    """Brightness of strands that run from the crown; folds for a scarf, curls for curly hair. Mean about 1."""
    style, scale = identity.hair_style, canvas.scale
    if style in ("curly", "buzz"):
        size_px, strength = (0.045 * scale, 0.3) if style == "curly" else (0.018 * scale, 0.12)
        return np.asarray(1 + strength * grain((canvas.height, canvas.width), size_px, rng), np.float32)
    fine, strength = (0.8, 0.16) if style != "scarf" else (5.0, 0.07)
    angles, radii = 512, 64
    noise = rng.normal(0, 1, (angles, radii)).astype(np.float32)
    rays = cv2.GaussianBlur(noise, (0, 0), sigmaX=14, sigmaY=fine, borderType=cv2.BORDER_REFLECT)
    center = (canvas.origin[0] + 0.1 * scale, canvas.origin[1] - 1.5 * scale)
    size = (canvas.width, canvas.height)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP | cv2.WARP_FILL_OUTLIERS
    spread = cv2.warpPolar(rays, size, center, 4.5 * scale, flags)
    return np.asarray(1 + strength * spread / rays.std(), np.float32)
