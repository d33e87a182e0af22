import numpy as np
import pytest

from fercli.demo.expressions import REST, Expression
from fercli.demo.eyes import draw_brow, draw_eye, place_brow, place_eye
from fercli.demo.shape import shape_face
from fercli.demo.strokes import Pen
from tests.demo.pupils import SKIN, pupil

WHO = pupil()
SHAPE = shape_face(WHO)


def picture() -> Pen:
    return Pen(np.full((120, 160, 3), SKIN, np.uint8), 60.0, (80.0, 60.0))


@pytest.mark.parametrize("side", [-1, 1])
def test_open_eye_stands_about_its_iris(side: int) -> None:
    eye = place_eye(WHO, SHAPE, REST, side)
    assert np.isclose(eye.iris[0], side * SHAPE.eye_x)
    assert np.isclose(eye.upper[:, 0].mean(), side * SHAPE.eye_x)
    assert np.all(eye.fold[1:-1, 1] < eye.upper[1:-1, 1])
    assert np.all(eye.upper[1:-1, 1] < eye.lower[1:-1, 1])
    assert eye.upper[6, 1] < eye.iris[1] < eye.lower[6, 1]


def test_both_eyes_are_alike() -> None:
    left, right = (place_eye(pupil(eye_tilt=0.03), SHAPE, REST, side) for side in (-1, 1))
    for name in ("fold", "upper", "lower"):
        np.testing.assert_allclose(getattr(left, name)[::-1] * (-1, 1), getattr(right, name))


def test_outer_corner_rises_with_the_tilt() -> None:
    eye = place_eye(pupil(eye_tilt=0.03), SHAPE, REST, 1)
    assert eye.lower[-1, 1] < eye.lower[0, 1]


def test_lids_close_one_by_one() -> None:
    face = Expression(lid_right=0.2)
    left, right = (place_eye(WHO, SHAPE, face, side) for side in (-1, 1))
    assert (left.lid, right.lid) == (1.0, 0.2)
    openings = [(eye.lower - eye.upper)[6, 1] for eye in (left, right)]
    assert np.isclose(openings[1], 0.2 * openings[0])


def test_rest_of_the_lid_adds_up_and_never_shuts_wholly() -> None:
    assert place_eye(pupil(rest_lid=-0.1), SHAPE, REST, 1).lid == 0.9
    assert place_eye(WHO, SHAPE, Expression(lid_left=0.0), -1).lid == 0.03
    assert place_eye(pupil(rest_lid=0.5), SHAPE, REST, 1).lid == 1.2


def test_squint_lifts_the_lower_lid() -> None:
    plain, squint = (place_eye(WHO, SHAPE, Expression(squint=share), 1).lower[6, 1] for share in (0.0, 1.0))
    assert squint < plain


def test_gaze_moves_both_irises_the_same_way() -> None:
    face = Expression(gaze_x=1.0, gaze_y=1.0)
    for side in (-1, 1):
        rest, aside = place_eye(WHO, SHAPE, REST, side), place_eye(WHO, SHAPE, face, side)
        assert aside.iris[0] > rest.iris[0] + 0.1
        assert aside.iris[1] > rest.iris[1] + 0.05
        # Looking down takes the upper lid along.
        assert aside.upper[6, 1] > rest.upper[6, 1]


def test_iris_is_seen_in_an_open_eye_only() -> None:
    darkest = []
    for lid in (1.0, 0.05):
        pen = picture()
        eye = place_eye(WHO, SHAPE, Expression(lid_right=lid), 1)
        draw_eye(pen, WHO, eye, SKIN)
        column, row = pen.pixels(np.array([eye.iris])).round().astype(int)[0]
        darkest.append(int(pen.image[row, column].max()))
    assert darkest[0] < 40
    assert darkest[1] > 100


def test_eye_is_drawn_on_its_side() -> None:
    pen = picture()
    draw_eye(pen, WHO, place_eye(WHO, SHAPE, REST, -1), SKIN)
    assert np.any(pen.image[:, :80] != np.array(SKIN, np.uint8))
    assert np.all(pen.image[:, 80:] == np.array(SKIN, np.uint8))


def test_brow_lies_over_the_eye_and_is_lifted_by_its_own_side() -> None:
    face = Expression(brow_right=0.1)
    (left, right), rest = (place_brow(WHO, SHAPE, face, side) for side in (-1, 1)), place_brow(WHO, SHAPE, REST, 1)
    assert (left.lift, right.lift) == (0.0, 0.1)
    assert np.all(right.line[:, 1] <= rest.line[:, 1] - 0.1 + 1e-9)
    np.testing.assert_allclose(left.line * (-1, 1), rest.line)
    assert rest.line[:, 0].min() < SHAPE.eye_x < rest.line[:, 0].max()
    assert rest.line[4, 1] < place_eye(WHO, SHAPE, REST, 1).fold[6, 1]


def test_knitted_brows_come_nearer_to_the_nose() -> None:
    rest, knit = (place_brow(WHO, SHAPE, Expression(brow_knit=share), -1).line for share in (0.0, 1.0))
    assert rest[0, 0] < knit[0, 0] < 0
    np.testing.assert_allclose(rest[-1], knit[-1])


def test_tilt_lifts_the_inner_end_and_sinks_the_outer() -> None:
    rest, tilted = (place_brow(WHO, SHAPE, Expression(brow_tilt_left=tilt), -1).line for tilt in (0.0, 0.1))
    assert tilted[0, 1] < rest[0, 1]
    assert tilted[-1, 1] > rest[-1, 1]


def test_brow_thins_outwards() -> None:
    thickness = place_brow(WHO, SHAPE, REST, 1).thickness
    assert thickness[2] > 2 * thickness[-1]


@pytest.mark.parametrize(("style", "is_dark"), [("short", True), ("scarf", False)])
def test_brows_are_as_dark_as_the_hair_unless_that_is_hidden(style: str, is_dark: bool) -> None:
    who = pupil(hair_style=style, hair=(0.0, 0.0, 200.0))
    pen = picture()
    brow = place_brow(who, SHAPE, REST, 1)
    draw_brow(pen, who, brow, SKIN)
    column, row = pen.pixels(brow.line).round().astype(int)[4]
    red, _, blue = pen.image[row, column].astype(int)
    assert (blue > red) == is_dark
    assert red < 100
