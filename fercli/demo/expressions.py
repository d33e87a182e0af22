"""What a pupil's face does: the six emotions of SCFED as movements of brows, lids, gaze, mouth and head."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from fercli.core.emotions import PRESETS

EMOTIONS = PRESETS["scfed"]


@dataclass(frozen=True, slots=True)
class Expression:
    """Movements away from a face at rest; left and right as the viewer sees them.

    Lengths are in face units, up is positive for brows. `lid` is 1 open and 0 shut, `gaze` runs from -1 to 1
    (right and down are positive), `mouth_curve` 1 is a full smile, `mouth_skew` lifts the right corner.
    `yaw` and `pitch` (down is positive) are about sines of the angles, `roll` is in degrees, `drop` lowers the head.
    """

    brow_left: float = 0.0
    brow_right: float = 0.0
    brow_tilt_left: float = 0.0
    brow_tilt_right: float = 0.0
    brow_knit: float = 0.0
    lid_left: float = 1.0
    lid_right: float = 1.0
    squint: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    mouth_width: float = 0.0
    mouth_curve: float = 0.0
    mouth_skew: float = 0.0
    mouth_shift: float = 0.0
    mouth_open: float = 0.0
    teeth: float = 0.0
    lip_press: float = 0.0
    cheek: float = 0.0
    bags: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    drop: float = 0.0


REST = Expression()
_NAMES = tuple(field.name for field in fields(Expression))


def mix_expressions(first: Expression, second: Expression, weight: float) -> Expression:
    """Go the share `weight` of the way from `first` to `second`."""
    if weight <= 0:
        return first
    return Expression(*(getattr(first, name) * (1 - weight) + getattr(second, name) * weight for name in _NAMES))


def draw_expression(emotion: str, intensity: float, rng: np.random.Generator) -> Expression:
    """Draw one way to show `emotion`; `intensity` 0 is a face at rest, 1 shows it in full.

    Besides the emotion there is what any face does at any time (looks about, moves its brows), so that faint
    emotions overlap with others, as they do in class.
    """
    full = _SHOW[emotion](rng)
    return _wander(mix_expressions(_idle(rng), full, intensity), rng)


def _idle(rng: np.random.Generator) -> Expression:
    """A face at rest, its gaze towards the teacher."""
    return Expression(gaze_x=float(rng.normal(0, 0.18)), gaze_y=float(rng.normal(0, 0.12)), lip_press=0.1)


def _wander(base: Expression, rng: np.random.Generator) -> Expression:
    brow, tilt = rng.normal(0, 0.012, 2)
    return replace(
        base,
        brow_left=base.brow_left + float(brow + rng.normal(0, 0.006)),
        brow_right=base.brow_right + float(brow + rng.normal(0, 0.006)),
        brow_tilt_left=base.brow_tilt_left + float(tilt),
        brow_tilt_right=base.brow_tilt_right + float(tilt),
        lid_left=base.lid_left + float(rng.normal(0, 0.04)),
        lid_right=base.lid_right + float(rng.normal(0, 0.04)),
        mouth_width=base.mouth_width + float(rng.normal(0, 0.06)),
        mouth_curve=base.mouth_curve + float(rng.normal(0, 0.09)),
        mouth_skew=base.mouth_skew + float(rng.normal(0, 0.08)),
        yaw=base.yaw + float(rng.normal(0, 0.06)),
        pitch=base.pitch + float(rng.normal(0, 0.03)),
        roll=base.roll + float(rng.normal(0, 2.0)),
    )


def _neutral(rng: np.random.Generator) -> Expression:
    return replace(_idle(rng), lip_press=float(rng.uniform(0, 0.25)))


def _happy(rng: np.random.Generator) -> Expression:
    shows_teeth = rng.random() < 0.6
    opening = float(rng.uniform(0.16, 0.5)) if shows_teeth else 0.0
    return Expression(
        brow_left=0.05,
        brow_right=0.05,
        lid_left=0.82,
        lid_right=0.82,
        squint=float(rng.uniform(0.4, 0.9)),
        gaze_x=float(rng.normal(0, 0.3)),
        mouth_width=float(rng.uniform(0.5, 1.0)),
        mouth_curve=float(rng.uniform(0.75, 1.1)),
        mouth_open=opening,
        teeth=1.0 if shows_teeth else 0.0,
        cheek=float(rng.uniform(0.7, 1.0)),
    )


def _dedicated(rng: np.random.Generator) -> Expression:
    """At work: eyes on the page, or fixed on the board, brows low, lips pressed."""
    reads = rng.random() < 0.75
    return Expression(
        brow_left=-0.08,
        brow_right=-0.08,
        brow_tilt_left=-0.08,
        brow_tilt_right=-0.08,
        brow_knit=float(rng.uniform(0.6, 1.0)),
        lid_left=0.62 if reads else 0.92,
        lid_right=0.62 if reads else 0.92,
        squint=0.35,
        gaze_x=float(rng.normal(0, 0.15)),
        gaze_y=float(rng.uniform(0.6, 1.0)) if reads else 0.0,
        mouth_width=-0.4,
        mouth_curve=-0.05,
        lip_press=float(rng.uniform(0.75, 1.0)),
        pitch=float(rng.uniform(0.1, 0.2)) if reads else 0.03,
    )


def _confused(rng: np.random.Generator) -> Expression:
    """One brow up and the other down, the mouth drawn to one side; or both brows drawn up to the middle."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    up, down = float(rng.uniform(0.15, 0.22)), float(rng.uniform(-0.08, -0.03))
    worried = rng.random() < 0.35
    return Expression(
        brow_left=0.08 if worried else (up if side > 0 else down),
        brow_right=0.08 if worried else (down if side > 0 else up),
        brow_tilt_left=0.15 if worried else (0.0 if side > 0 else -0.07),
        brow_tilt_right=0.15 if worried else (-0.07 if side > 0 else 0.0),
        brow_knit=float(rng.uniform(0.5, 1.0)),
        lid_left=0.95 if side > 0 else 0.7,
        lid_right=0.7 if side > 0 else 0.95,
        squint=0.3,
        gaze_x=float(rng.normal(0, 0.25)),
        mouth_curve=-0.35,
        mouth_skew=side * float(rng.uniform(0.7, 1.1)),
        mouth_shift=side * float(rng.uniform(0.04, 0.08)),
        mouth_open=0.12 if worried else 0.0,
        mouth_width=-0.2,
        roll=side * float(rng.uniform(3, 9)),
        yaw=side * float(rng.uniform(0.0, 0.1)),
    )


def _tired(rng: np.random.Generator) -> Expression:
    """Heavy lids and a sinking head, or a yawn."""
    if rng.random() < 0.22:
        return _yawn(rng)
    lid = float(rng.uniform(0.08, 0.36))
    return Expression(
        brow_left=0.02,
        brow_right=0.02,
        brow_tilt_left=0.04,
        brow_tilt_right=0.04,
        lid_left=lid,
        lid_right=lid,
        gaze_y=0.45,
        mouth_curve=float(rng.uniform(-0.5, -0.15)),
        mouth_open=float(rng.choice([0.0, 0.1])),
        bags=1.0,
        pitch=float(rng.uniform(0.06, 0.2)),
        roll=float(rng.normal(0, 4)),
        drop=float(rng.uniform(0.1, 0.35)),
    )


def _yawn(rng: np.random.Generator) -> Expression:
    opening = float(rng.uniform(0.75, 1.0))
    return Expression(
        brow_left=0.07,
        brow_right=0.07,
        lid_left=0.12,
        lid_right=0.12,
        squint=0.7,
        mouth_open=opening,
        mouth_width=-0.55,
        bags=0.8,
        cheek=0.2,
        pitch=-0.08,
    )


def _bored(rng: np.random.Generator) -> Expression:
    """Looks away, lids half down, mouth flat, the head tilted as if it rested on a hand."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    return Expression(
        brow_left=0.015,
        brow_right=0.015,
        lid_left=float(rng.uniform(0.45, 0.65)),
        lid_right=float(rng.uniform(0.45, 0.65)),
        gaze_x=side * float(rng.uniform(0.8, 1.1)),
        gaze_y=float(rng.uniform(-0.5, 0.3)),
        mouth_curve=float(rng.uniform(-0.65, -0.3)),
        mouth_width=float(rng.uniform(0.0, 0.4)),
        mouth_skew=side * float(rng.uniform(0.0, 0.35)),
        lip_press=0.35,
        yaw=side * float(rng.uniform(0.18, 0.33)),
        roll=side * float(rng.uniform(2, 11)),
        drop=0.05,
    )


_SHOW: dict[str, Callable[[np.random.Generator], Expression]] = {
    "happy": _happy,
    "dedicated": _dedicated,
    "neutral": _neutral,
    "confused": _confused,
    "tired": _tired,
    "bored": _bored,
}
