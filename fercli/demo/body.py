"""Neck, shoulders and clothes of a pupil, painted once into the room."""

import cv2
import numpy as np
from jaxtyping import UInt8

from fercli.demo.canvas import Canvas, Layers, Light, Mask, blur, grain, paste
from fercli.demo.identity import Color, Identity
from fercli.demo.shape import shade_relief
from fercli.demo.strokes import smooth_curve, tone

EXTENT = (-3.1, -0.6, 3.1, 4.4)
_SUPERSAMPLING = 1.5

_TORSO = ((0.0, 1.9), (0.55, 1.86), (1.05, 2.04), (1.9, 2.26), (2.45, 2.62), (2.7, 3.4), (2.75, 4.4))
_NECK = ((0.6, 1.0), (0.56, 1.6), (0.66, 1.95), (0.42, 2.22), (0.0, 2.34))
_BACK_HAIR = {
    "bob": ((0.0, -0.5), (1.22, -0.3), (1.24, 0.9), (0.95, 1.45), (0.0, 1.5)),
    "long": ((0.0, -0.5), (1.2, -0.3), (1.3, 1.0), (1.35, 2.2), (1.0, 2.75), (0.0, 2.4)),
    "scarf": ((0.0, -0.5), (1.1, 0.2), (1.05, 1.2), (1.25, 2.1), (0.8, 2.6), (0.0, 2.8)),
}


def draw_body(
    frame: UInt8[np.ndarray, "height width 3"],
    identity: Identity,
    center: tuple[float, float],
    unit_px: float,
    *,
    light: Light,
    gain: float,
) -> None:
    """Paint what is below the head into `frame`; `center` is the point between the eyes, `unit_px` a face unit."""
    canvas = Canvas.spanning(EXTENT, unit_px * _SUPERSAMPLING)
    rng = np.random.default_rng(identity.texture_seed + 1)
    x, y = canvas.grid()
    layers = Layers.empty(canvas)
    is_scarf = identity.hair_style == "scarf"
    hair = _back_hair(identity, canvas)
    if not is_scarf:
        layers.lay(_flat(tone(identity.hair, 0.7)) * (1 - 0.12 * np.abs(np.sin(9 * x)))[..., None], hair)
    _lay_clothes(layers, identity, canvas, light, rng=rng)
    _lay_neck(layers, identity, canvas, light)
    if is_scarf:
        folds = 0.85 + 0.12 * np.sin(7 * y + 3 * np.abs(x))
        layers.lay(_flat(identity.accent) * folds[..., None].astype(np.float32), hair)
    rgb, alpha = layers.to_bytes(gain)
    zoom = 1 / _SUPERSAMPLING
    shift = np.asarray(center) - zoom * np.asarray(canvas.origin)
    matrix = np.array([(zoom, 0.0, shift[0]), (0.0, zoom, shift[1])])
    paste(frame, cv2.insertChannel(alpha, cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA), 3), matrix)


def _flat(color: Color) -> np.ndarray:
    return np.asarray(color, np.float32)[None, None, :]


def _mirrored(half: tuple[tuple[float, float], ...]) -> np.ndarray:
    right = np.array(half)
    return np.concatenate([right[::-1] * (-1, 1), right])


def _back_hair(identity: Identity, canvas: Canvas) -> Mask:
    half = _BACK_HAIR.get(identity.hair_style)
    if half is None:
        return np.zeros((canvas.height, canvas.width), np.float32)
    return blur(canvas.mask(smooth_curve(_mirrored(half))), 0.02 * canvas.scale)


def _lay_clothes(layers: Layers, identity: Identity, canvas: Canvas, light: Light, *, rng: np.random.Generator) -> None:
    x, y = canvas.grid()
    torso = canvas.mask(np.concatenate([smooth_curve(_mirrored(_TORSO)), [(2.75, 4.6), (-2.75, 4.6)]]))
    round_chest = 0.9 * np.sqrt(np.clip(1 - (x / 2.85) ** 2 - (np.clip(2.9 - y, 0, 1) / 1.3) ** 2, 0.01, None))
    relief = (round_chest + 0.07 * grain(x.shape, 0.22 * canvas.scale, rng)).astype(np.float32)
    color = np.broadcast_to(_flat(identity.clothes), (*x.shape, 3)).copy()
    if identity.garment == "striped":
        color[np.sin(13 * y) > 0.2] = identity.accent
    shade = shade_relief(relief, canvas.scale, light) * (1 - 0.12 * np.clip(y - 3, 0, 1))
    layers.lay(color * shade[..., None], torso)
    if identity.garment == "hoodie":
        ring = np.exp(-(((np.hypot(x / 1.05, (y - 1.75) / 0.55) - 0.95) / 0.2) ** 2)) * (y > 1.7)
        layers.lay(_flat(tone(identity.clothes, 0.75)), (0.8 * ring).astype(np.float32) * torso)


def _lay_neck(layers: Layers, identity: Identity, canvas: Canvas, light: Light) -> None:
    x, y = canvas.grid()
    mask = canvas.mask(smooth_curve(_mirrored(_NECK)))
    tube = np.sqrt(np.clip(1 - (x / 0.8) ** 2, 0.05, None)).astype(np.float32)
    shadow = 1 - 0.45 * np.clip((2.05 - y) / 0.45, 0, 1)
    layers.lay(_flat(identity.skin) * (shade_relief(tube, canvas.scale, light) * shadow)[..., None], mask)
    if identity.garment == "shirt":
        for side in (-1, 1):
            flap = np.array([(side * 0.62, 1.78), (side * 0.98, 2.06), (side * 0.5, 2.62), (side * 0.08, 2.36)])
            layers.lay(_flat(tone(identity.clothes, 1.12 if side < 0 else 1.0)), canvas.mask(flap))
