"""Who a pupil is: the looks that stay the same whatever the pupil feels."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Color = tuple[float, float, float]
HairStyle = Literal["short", "buzz", "parted", "fringe", "bob", "long", "curly", "bun", "scarf"]
Glasses = Literal["none", "round", "square"]
Garment = Literal["shirt", "hoodie", "striped", "plain"]

SKINS: tuple[Color, ...] = (
    (226, 190, 164),
    (218, 177, 146),
    (206, 160, 127),
    (196, 146, 110),
    (168, 120, 88),
    (134, 92, 66),
    (108, 74, 55),
)
HAIRS: tuple[Color, ...] = ((30, 24, 22), (48, 34, 26), (78, 52, 34), (112, 76, 46), (150, 112, 68), (104, 54, 34))
EYES: tuple[Color, ...] = ((72, 46, 30), (52, 34, 26), (96, 70, 38), (86, 104, 70), (84, 112, 136))
CLOTHES: tuple[Color, ...] = (
    (58, 76, 118),
    (134, 48, 52),
    (62, 98, 74),
    (196, 188, 172),
    (70, 70, 76),
    (206, 152, 62),
    (112, 84, 132),
    (120, 152, 178),
    (222, 222, 224),
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Looks of one pupil; lengths are in face units (half the width of an average face), factors are about 1."""

    skin: Color
    hair: Color
    iris: Color
    clothes: Color
    accent: Color
    hair_style: HairStyle
    glasses: Glasses
    garment: Garment
    beard: float
    face_width: float
    jaw: float
    chin: float
    eye_distance: float
    eye_size: float
    eye_tilt: float
    brow_height: float
    brow_thickness: float
    brow_arch: float
    nose_width: float
    nose_length: float
    mouth_width: float
    mouth_height: float
    lip_fullness: float
    rest_curve: float
    rest_brow: float
    rest_lid: float
    texture_seed: int


def draw_identity(rng: np.random.Generator) -> Identity:
    """Make up one pupil; light hair goes with light skin, a beard with short hair."""
    tone = int(rng.integers(len(SKINS)))
    hair_style: HairStyle = _pick(rng, get_args(HairStyle), (0.19, 0.07, 0.16, 0.13, 0.12, 0.13, 0.09, 0.06, 0.05))
    is_short = hair_style in ("short", "buzz", "parted", "curly")
    return Identity(
        skin=_vary(rng, SKINS[tone], 6.0),
        hair=_vary(rng, HAIRS[int(rng.integers(2 if tone > 3 else len(HAIRS)))], 5.0),
        iris=_vary(rng, EYES[int(rng.integers(2 if tone > 3 else len(EYES)))], 6.0),
        clothes=_vary(rng, CLOTHES[int(rng.integers(len(CLOTHES)))], 10.0),
        accent=_vary(rng, CLOTHES[int(rng.integers(len(CLOTHES)))], 10.0),
        hair_style=hair_style,
        glasses=_pick(rng, get_args(Glasses), (0.78, 0.11, 0.11)),
        garment=_pick(rng, get_args(Garment), (0.3, 0.25, 0.2, 0.25)),
        beard=float(rng.uniform(0.3, 0.8)) if is_short and rng.random() < 0.25 else 0.0,
        face_width=float(rng.uniform(0.92, 1.06)),
        jaw=float(rng.uniform(0.88, 1.08)),
        chin=float(rng.uniform(-0.07, 0.07)),
        eye_distance=float(rng.uniform(0.43, 0.49)),
        eye_size=float(rng.uniform(0.92, 1.15)),
        eye_tilt=float(rng.uniform(-0.01, 0.035)),
        brow_height=float(rng.uniform(0.29, 0.36)),
        brow_thickness=float(rng.uniform(0.75, 1.3)),
        brow_arch=float(rng.uniform(0.02, 0.07)),
        nose_width=float(rng.uniform(0.85, 1.2)),
        nose_length=float(rng.uniform(-0.05, 0.05)),
        mouth_width=float(rng.uniform(0.32, 0.39)),
        mouth_height=float(rng.uniform(-0.05, 0.05)),
        lip_fullness=float(rng.uniform(0.75, 1.3)),
        rest_curve=float(rng.normal(0.0, 0.05)),
        rest_brow=float(rng.normal(0.0, 0.01)),
        rest_lid=float(rng.normal(0.0, 0.05)),
        texture_seed=int(rng.integers(2**31)),
    )


def _pick(rng: np.random.Generator, words: tuple[str, ...], weights: tuple[float, ...]):  # type: ignore[no-untyped-def]  # the Literal of `words`
    return str(rng.choice(words, p=np.asarray(weights) / sum(weights)))


def _vary(rng: np.random.Generator, color: Color, spread: float) -> Color:
    """Move a colour in lightness, and a little in hue."""
    moved = np.clip(np.asarray(color) + rng.normal(0, spread) + rng.normal(0, spread / 3, 3), 8, 250)
    return (float(moved[0]), float(moved[1]), float(moved[2]))
