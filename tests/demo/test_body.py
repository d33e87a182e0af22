from typing import Any

import numpy as np
import pytest

from fercli.demo.body import draw_body
from tests.demo.pupils import FRONT, pupil

SIZE, UNIT, CENTER = (200, 240), 30.0, (120.0, 60.0)
GREY = 128


def drawn(gain: float = 1.0, **changes: Any) -> np.ndarray:
    frame = np.full((*SIZE, 3), GREY, np.uint8)
    draw_body(frame, pupil(**changes), CENTER, UNIT, light=FRONT, gain=gain)
    return frame


def at(frame: np.ndarray, x: float, y: float) -> np.ndarray:
    column, row = round(CENTER[0] + x * UNIT), round(CENTER[1] + y * UNIT)
    return np.asarray(frame[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 3).mean(axis=0))


def test_chest_has_the_colour_of_the_clothes_and_the_neck_that_of_the_skin() -> None:
    frame = drawn()
    assert int(np.argmax(at(frame, 0.8, 3.2))) == 2
    red, green, blue = at(frame, 0.0, 1.7)
    assert red > green > blue


def test_shoulders_are_alike_on_both_sides_and_wider_than_the_neck() -> None:
    covered = np.any(drawn() != GREY, axis=2)
    shoulders, neck = (np.flatnonzero(covered[round(CENTER[1] + y * UNIT)]) for y in (3.2, 1.4))
    assert np.ptp(shoulders) > 4 * np.ptp(neck)
    assert abs(shoulders.mean() - CENTER[0]) < 1.5


def test_nothing_is_painted_where_the_face_comes_or_beside_the_body() -> None:
    frame = drawn()
    assert np.all(at(frame, 0.0, 0.0) == GREY)
    assert np.all(frame[:, :20] == GREY)


@pytest.mark.parametrize(("style", "is_covered"), [("short", False), ("bob", True), ("long", True), ("scarf", True)])
def test_long_hair_and_scarves_hang_behind_the_head(style: str, is_covered: bool) -> None:
    assert np.any(at(drawn(hair_style=style), 1.0, 0.8) != GREY) == is_covered


def test_scarf_hangs_in_front_of_the_neck_in_its_own_colour() -> None:
    assert int(np.argmax(at(drawn(hair_style="scarf"), 0.0, 2.0))) == 1
    assert int(np.argmax(at(drawn(hair_style="long"), 0.0, 2.0))) == 0


def test_stripes_are_of_two_colours() -> None:
    column = [int(np.argmax(at(drawn(garment="striped"), 1.2, y))) for y in np.arange(2.8, 4.2, 0.1)]
    assert set(column) == {1, 2}
    assert {int(np.argmax(at(drawn(), 1.2, y))) for y in np.arange(2.8, 4.2, 0.1)} == {2}


def test_hoods_and_collars_are_seen() -> None:
    plain, hoodie, shirt = (drawn(garment=garment) for garment in ("plain", "hoodie", "shirt"))
    assert at(hoodie, 0.9, 2.2).mean() < at(plain, 0.9, 2.2).mean()
    for side in (-1, 1):
        assert int(np.argmax(at(shirt, side * 0.55, 2.15))) == 2


def test_dim_seat_gives_a_dim_body() -> None:
    np.testing.assert_allclose(at(drawn(gain=0.5), 0.8, 3.2), 0.5 * at(drawn(), 0.8, 3.2), atol=2)
