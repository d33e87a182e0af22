"""The room behind the pupils: wall, windows, things on the wall that are no faces, desks; painted once."""

import cv2
import numpy as np
from jaxtyping import UInt8

from fercli.demo.body import draw_body
from fercli.demo.canvas import Light
from fercli.demo.identity import CLOTHES, Color, Identity
from fercli.demo.seats import Seat, design_scale, gain_at
from fercli.demo.strokes import Pen, between, moved, smooth_curve, tone

Picture = UInt8[np.ndarray, "height width 3"]

_INK: Color = (40.0, 40.0, 44.0)


def paint_room(
    size: tuple[int, int],
    pupils: tuple[tuple[Identity, Seat], ...],
    *,
    light: Light,
    rng: np.random.Generator,
) -> Picture:
    """Paint the room and all that does not move: furniture and bodies, from the back row to the front."""
    width, height = size
    zoom = design_scale(size)
    room = np.zeros((height, width, 3), np.uint8)
    pen = Pen(room, zoom, (width / 2 - 640 * zoom, height / 2 - 360 * zoom))
    _paint_walls(room, pen, rng)
    _paint_things(pen, rng)
    room[...] = _light_falloff(cv2.GaussianBlur(room, (0, 0), 1.1 * zoom))
    for row in sorted({seat.row for _, seat in pupils}, reverse=True):
        _seat_row(room, [(identity, seat) for identity, seat in pupils if seat.row == row], light, rng)
    return room


def _seat_row(room: Picture, row: list[tuple[Identity, Seat]], light: Light, rng: np.random.Generator) -> None:
    for identity, seat in row:
        draw_body(room, identity, seat.center, seat.unit_px, light=light, gain=seat.gain)
    for identity, seat in row:
        _paint_desk(Pen(room, seat.unit_px, seat.center), identity, seat, rng)


def _box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=float)


def _paint_walls(room: Picture, pen: Pen, rng: np.random.Generator) -> None:
    wall = np.asarray((206, 203, 190)) + rng.normal(0, 8, 3)
    floor = np.asarray((142, 124, 104)) + rng.normal(0, 5, 3)
    horizon = round(pen.origin[1] + 330 * pen.scale)
    room[:horizon] = np.clip(wall, 0, 255).astype(np.uint8)
    room[horizon:] = np.clip(floor, 0, 255).astype(np.uint8)
    skirting = (118.0, 108.0, 96.0)
    pen.fill(_box(-400, 318, 1700, 332), skirting)
    for left in (-60, 120):
        pen.fill(_box(left - 8, 22, left + 148, 246), (232.0, 230.0, 224.0))
        pen.fill(_box(left, 30, left + 66, 238), (226.0, 238.0, 246.0))
        pen.fill(_box(left + 74, 30, left + 140, 238), (218.0, 233.0, 244.0))


def _paint_things(pen: Pen, rng: np.random.Generator) -> None:
    """A notice board, a map, a door, and three round things that a careless detector may take for faces."""
    pen.fill(_box(330, 34, 640, 150), (112.0, 82.0, 54.0))
    pen.fill(_box(338, 42, 632, 142), (172.0, 138.0, 96.0))
    for column in range(5):
        left, top = 350 + 56 * column + rng.uniform(0, 8), 52 + rng.uniform(0, 14)
        color = CLOTHES[int(rng.integers(len(CLOTHES)))]
        pen.fill(_box(left, top, left + 40, top + 52), tone(color, 1.2))
        for line in range(4):
            height = top + 10 + 9 * line
            pen.line(np.array([(left + 6, height), (left + 32, height)]), (90.0, 90.0, 90.0), 1.5)
    pen.fill(_box(1130, 60, 1250, 322), (128.0, 92.0, 62.0))
    pen.fill(_box(1140, 70, 1240, 322), (150.0, 110.0, 76.0))
    pen.disc((1152, 210), 6, (210.0, 200.0, 160.0))
    _paint_clock(pen, (742, 74), 34)
    _paint_globe(pen, (1010, 112), 38)


def _paint_clock(pen: Pen, center: tuple[float, float], radius: float) -> None:
    pen.disc(center, radius, (60.0, 60.0, 64.0))
    pen.disc(center, 0.88 * radius, (238.0, 238.0, 232.0))
    for hour in range(12):
        angle = hour * np.pi / 6
        way = np.array((np.sin(angle), -np.cos(angle)))
        pen.line(np.asarray(center) + radius * np.stack([0.7 * way, 0.82 * way]), _INK, 2.5)
    for angle, length in ((5.4, 0.45), (1.2, 0.68)):
        end = np.asarray(center) + length * radius * np.array((np.sin(angle), -np.cos(angle)))
        pen.line(np.stack([np.asarray(center), end]), _INK, 3.0)


def _paint_globe(pen: Pen, center: tuple[float, float], radius: float) -> None:
    x, y = center
    pen.fill(_box(x - 90, y + radius + 26, x + 90, y + radius + 36), (136.0, 98.0, 64.0))
    pen.fill(_box(x - 20, y + radius + 16, x + 20, y + radius + 26), (90.0, 70.0, 50.0))
    pen.fill(_box(x - 4, y + radius, x + 4, y + radius + 18), (90.0, 70.0, 50.0))
    pen.disc(center, radius, (74.0, 118.0, 158.0))
    for left, top, right, bottom in ((-0.55, -0.5, -0.1, 0.05), (-0.3, 0.1, 0.0, 0.6), (0.2, -0.4, 0.7, 0.3)):
        land = _box(x + left * radius, y + top * radius, x + right * radius, y + bottom * radius)
        pen.fill(land + (4, 6) * np.array([(1, 0), (0, 1), (-1, 0), (0, -1)]), (104.0, 142.0, 84.0))
    pen.disc((x + 62, y + radius + 4), 20, (176.0, 84.0, 60.0))


def _paint_desk(pen: Pen, identity: Identity, seat: Seat, rng: np.random.Generator) -> None:
    """A desk with forearms, paper and a book on it."""
    wood = tone((176.0, 138.0, 96.0), seat.gain * float(rng.uniform(0.94, 1.04)))
    top = np.array([(-3.0, 3.05), (3.0, 3.05), (3.3, 3.75), (-3.3, 3.75)])
    pen.fill(top, wood)
    pen.fill(_box(-3.3, 3.75, 3.3, 3.95), tone(wood, 0.78))
    pen.fill(_box(-3.2, 3.95, 3.2, 5.6), tone(wood, 0.55))
    shift = float(rng.uniform(-0.5, 0.5))
    sheet = np.array([(-0.55, 3.25), (0.6, 3.25), (0.72, 3.62), (-0.66, 3.62)])
    pen.fill(moved(sheet, shift, 0), tone((236.0, 234.0, 226.0), seat.gain))
    book = np.array([(1.35, 3.4), (2.2, 3.4), (2.35, 3.68), (1.45, 3.68)])
    pen.fill(book * (1 if shift < 0 else -1, 1), tone(identity.accent, seat.gain))
    for side in (-1, 1):
        _paint_arm(pen, identity, seat.gain * (1.0 if side < 0 else 0.86), side)


def _paint_arm(pen: Pen, identity: Identity, gain: float, side: int) -> None:
    """A sleeve from the shoulder to a hand that lies on the desk, lit from above."""
    upper = np.array([(2.55, 2.7), (2.3, 2.95), (1.6, 3.12), (0.72, 3.2)])
    lower = np.array([(2.78, 3.2), (2.45, 3.42), (1.7, 3.5), (0.75, 3.5)])
    for share, light in ((1.0, 0.72), (0.8, 0.9), (0.5, 1.04)):
        edge = upper + (lower - upper) * share
        sleeve = between(smooth_curve(upper), smooth_curve(edge)) * (side, 1)
        pen.fill(sleeve, tone(identity.clothes, gain * light))
    for (x, y), radius, light in (((0.6, 3.37), 0.2, 0.82), ((0.6, 3.34), 0.16, 0.98)):
        pen.disc((side * x, y), radius, tone(identity.skin, gain * light))


def _light_falloff(room: Picture) -> Picture:
    height, width = room.shape[:2]
    across = np.array([gain_at(column / width) for column in range(width)], np.float32)
    down = np.linspace(1.02, 0.92, height, dtype=np.float32)
    shade = (down[:, None] * across[None, :])[..., None]
    return np.asarray(np.clip(room * shade, 0, 255), np.uint8)
