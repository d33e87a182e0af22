"""Where pupils sit: rows one behind the other, as a camera above the teacher's board sees them."""

from dataclasses import dataclass

import numpy as np

from fercli.core.words import counted

COLUMNS = 4
SEATS = 12

# A row's eye level, face unit and distance between neighbours, in pixels of a frame of 1280x720; front row first.
_ROWS = ((520.0, 42.0, 300.0), (346.0, 31.5, 232.0), (214.0, 24.5, 184.0))
_DESIGN_SIZE = (1280, 720)


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in the room: `center` is where the point between the eyes rests, `unit_px` half a face's width."""

    row: int
    center: tuple[float, float]
    unit_px: float
    gain: float


def design_scale(size: tuple[int, int]) -> float:
    """How much larger than 1280x720 the frame (width, height) is, by the tighter side."""
    return min(size[0] / _DESIGN_SIZE[0], size[1] / _DESIGN_SIZE[1])


def place_seats(num_seats: int, size: tuple[int, int], rng: np.random.Generator) -> tuple[Seat, ...]:
    """Seat up to 12 pupils from the front row back; the light falls off away from the window on the left."""
    if not 1 <= num_seats <= SEATS:
        raise ValueError(f"a room seats 1 to {counted(SEATS, 'pupil')}, not {num_seats}")
    zoom = design_scale(size)
    seats = []
    for index in range(num_seats):
        row, column = divmod(index, COLUMNS)
        level, unit, pitch = _ROWS[row]
        x = size[0] / 2 + zoom * (pitch * (column - (COLUMNS - 1) / 2) + rng.uniform(-12, 12))
        y = size[1] / 2 + zoom * (level - _DESIGN_SIZE[1] / 2 + rng.uniform(-5, 5))
        unit_px = zoom * unit * float(rng.uniform(0.95, 1.05))
        seats.append(Seat(row, (float(x), float(y)), unit_px, gain_at(x / size[0])))
    return tuple(seats)


def gain_at(across: float) -> float:
    """Brightness across the room: `across` is 0 at the window, 1 at the far wall."""
    return 1.06 - 0.2 * across
