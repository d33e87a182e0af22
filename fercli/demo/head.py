"""A head without its moving features: skin, ears, hair and beard, shaded once for a pupil's seat and light."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from fercli.demo.canvas import Canvas, Layers, Light, blur, grain
from fercli.demo.hair import hair_mask, strand_texture
from fercli.demo.identity import Identity
from fercli.demo.shape import FaceShape, carve_relief, jaw_share, shade_relief, shape_face

# What the picture of a head covers, face units: left, top, right, bottom.
EXTENT = (-1.85, -2.45, 1.85, 2.25)


@dataclass(frozen=True, slots=True)
class HeadSprite:
    """A painted head and the fields that move its pixels.

    Attributes:
        rgb: premultiplied by `alpha`.
        depth: how far a point shifts when the head turns, face units.
        jaw: how far a point goes along when the jaw drops, 0 to 1.
        columns, rows: where each point lies before it is moved, pixels.
        scale: pixels per face unit.
        origin: the pixel at which face unit (0, 0) lies.
        lid_colors: skin over the left and right eye.
    """

    rgb: UInt8[np.ndarray, "height width 3"]
    alpha: UInt8[np.ndarray, "height width"]
    depth: Float32[np.ndarray, "height width"]
    jaw: Float32[np.ndarray, "height width"]
    columns: Float32[np.ndarray, "height width"]
    rows: Float32[np.ndarray, "height width"]
    scale: float
    origin: tuple[float, float]
    shape: FaceShape
    lid_colors: tuple[tuple[float, float, float], tuple[float, float, float]]


def paint_head(identity: Identity, scale: float, light: Light, gain: float = 1.0) -> HeadSprite:
    """Paint the resting parts of a head.

    Args:
        identity: whose head it is.
        scale: pixels per face unit.
        light: direction towards the light, y down, z to the viewer.
        gain: brightness at the pupil's seat.
    """
    rng = np.random.default_rng(identity.texture_seed)
    canvas = Canvas.spanning(EXTENT, scale)
    shape = shape_face(identity)
    x, y = canvas.grid()
    relief = carve_relief(shape, identity, x, y)
    layers = Layers.empty(canvas)
    _paint_ears(layers, identity, canvas, x, y=y)
    face = canvas.mask(shape.outline)
    skin = _skin(identity, shape, x, y, rng=rng) * shade_relief(relief, scale, light)[..., None]
    layers.lay(_with_beard(skin, identity, shape, (x, y), rng=rng), face)
    _paint_hair(layers, identity, canvas, (x, y), light=light, rng=rng)
    rgb, alpha = layers.to_bytes(gain)
    jaw = jaw_share(shape, y)
    colors = (_color_at(rgb, canvas, -shape.eye_x, -0.16), _color_at(rgb, canvas, shape.eye_x, -0.16))
    # Smooth enough for a small warp to stay one-to-one.
    depth = blur(relief, 0.06 * scale)
    columns, rows = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (canvas.width, canvas.height)))
    return HeadSprite(rgb, alpha, depth, jaw, columns, rows, scale, canvas.origin, shape, colors)


def _skin(
    identity: Identity, shape: FaceShape, x: np.ndarray, y: np.ndarray, *, rng: np.random.Generator
) -> np.ndarray:
    """Skin colour before light: red cheeks and nose, darker sockets, blotches, a shadow below nose and lip."""
    side = np.abs(x)

    def spot(at: tuple[float, float], spread: tuple[float, float]) -> np.ndarray:
        return np.asarray(np.exp(-(((side - at[0]) / spread[0]) ** 2) - ((y - at[1]) / spread[1]) ** 2))

    red = 0.5 * spot((0.55, 0.5), (0.25, 0.22)) + 0.4 * spot((0, shape.nose_y), (0.18, 0.12))
    dark = 0.2 * spot((shape.eye_x - 0.04, -0.1), (0.25, 0.11)) + 0.16 * spot((shape.eye_x - 0.05, 0.16), (0.2, 0.07))
    dark += 0.16 * spot((shape.eye_x - 0.24, -0.04), (0.08, 0.14)) + 0.2 * spot((0, shape.mouth_y + 0.23), (0.2, 0.05))
    dark += 0.34 * spot((0.08 * identity.nose_width, shape.nose_y + 0.125), (0.045, 0.03))
    dark += 0.22 * spot((0, shape.nose_y + 0.16), (0.17 * identity.nose_width, 0.05))
    dark += 0.13 * spot((0.21 * identity.nose_width, shape.nose_y + 0.06), (0.03, 0.08))
    dark += 0.25 * np.clip((y - shape.chin_y + 0.2) / 0.25, 0, 1)
    light = (1 - dark) * (1 + 0.02 * grain(x.shape, x.shape[0] / 55, rng))
    tint = 1 + red[..., None] * np.array((0.04, -0.1, -0.1), np.float32)
    return np.asarray(np.asarray(identity.skin, np.float32) * tint * light[..., None])


def _with_beard(
    skin: np.ndarray,
    identity: Identity,
    shape: FaceShape,
    grid: tuple[np.ndarray, np.ndarray],
    *,
    rng: np.random.Generator,
) -> np.ndarray:
    if not identity.beard:
        return skin
    x, y = grid
    cheek_edge = 0.62 + 0.75 * np.clip(np.abs(x) - 0.2, 0, 1) ** 2 * -1 + 0.35 * (np.abs(x) < 0.2)
    area = np.clip((y - np.maximum(cheek_edge, 0.35 + 0.4 * (np.abs(x) < 0.75))) / 0.18, 0, 1)
    area *= 1 - np.exp(-((x / 0.36) ** 4) - ((y - shape.mouth_y) / 0.12) ** 4)
    stubble = 1 + 0.12 * grain(x.shape, 0.8, rng)
    cover = (np.clip(area * identity.beard * stubble, 0, 0.85))[..., None]
    return np.asarray(skin * (1 - cover) + np.asarray(identity.hair, np.float32) * 1.1 * cover)


def _paint_ears(layers: Layers, identity: Identity, canvas: Canvas, x: np.ndarray, *, y: np.ndarray) -> None:
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    for side in (-1, 1):
        center = side * 1.0 * identity.face_width
        ring = np.stack([center + 0.17 * np.cos(angle), 0.18 + 0.33 * np.sin(angle)], axis=1)
        inner = np.exp(-(((x - center - side * 0.05) / 0.06) ** 2) - ((y - 0.18) / 0.17) ** 2)
        tone = (0.86 - 0.3 * inner)[..., None] * np.array((1.0, 0.93, 0.92), np.float32)
        layers.lay(np.asarray(identity.skin, np.float32) * tone, canvas.mask(ring))


def _paint_hair(
    layers: Layers,
    identity: Identity,
    canvas: Canvas,
    grid: tuple[np.ndarray, np.ndarray],
    *,
    light: Light,
    rng: np.random.Generator,
) -> None:
    x, y = grid
    mask = hair_mask(identity, canvas, rng)
    shadow = blur(mask, 0.1 * canvas.scale) * layers.alpha
    layers.rgb[...] *= (1 - 0.35 * shadow)[..., None]
    ball = np.sqrt(np.clip(1 - (x / 1.45) ** 2 - ((y + 0.2) / 2.1) ** 2, 0.02, None)).astype(np.float32)
    shade = shade_relief(ball, canvas.scale, light) * strand_texture(identity, canvas, rng)
    is_scarf = identity.hair_style == "scarf"
    color = np.asarray(identity.accent if is_scarf else identity.hair, np.float32)
    gloss = 0 if is_scarf else 26 * np.exp(-(((y + 1.2 - 0.15 * x * x) / 0.16) ** 2)) * shade
    layers.lay(
        color * shade[..., None] + np.asarray(gloss)[..., None], mask * (0.8 if identity.hair_style == "buzz" else 1.0)
    )


def _color_at(rgb: np.ndarray, canvas: Canvas, x: float, y: float) -> tuple[float, float, float]:
    column, row = round(canvas.origin[0] + x * canvas.scale), round(canvas.origin[1] + y * canvas.scale)
    reach = max(1, round(0.05 * canvas.scale))
    red, green, blue = rgb[row - reach : row + reach, column - reach : column + reach].reshape(-1, 3).mean(axis=0)
    return (float(red), float(green), float(blue))
