import numpy as np
import pytest

from fercli.demo.expressions import REST, Expression
from fercli.demo.mouth import Mouth, draw_mouth, place_mouth
from fercli.demo.shape import shape_face
from fercli.demo.strokes import Pen
from tests.demo.pupils import SKIN, pupil

WHO = pupil()
SHAPE = shape_face(WHO)
MIDDLE = 8


def mouth(**movements: float) -> Mouth:
    return place_mouth(WHO, SHAPE, Expression(**movements))


def test_shut_mouth_is_one_line_with_lips_above_and_below() -> None:
    rest = mouth()
    np.testing.assert_array_equal(rest.above, rest.below)
    assert np.all(rest.top[1:-1, 1] < rest.above[1:-1, 1])
    assert np.all(rest.below[1:-1, 1] < rest.bottom[1:-1, 1])
    assert np.isclose(rest.corners[:, 0].sum(), 0.0)
    assert np.isclose(np.ptp(rest.corners[:, 0]), 2 * 0.35)
    assert np.allclose(rest.corners[:, 1], SHAPE.mouth_y)


def test_open_mouth_has_a_gap_that_is_widest_in_the_middle() -> None:
    gap = (mouth(mouth_open=1.0).below - mouth(mouth_open=1.0).above)[:, 1]
    assert np.argmax(gap) == MIDDLE
    assert gap[0] == gap[-1] == 0
    assert gap[MIDDLE] > 2 * (mouth(mouth_open=0.3).below - mouth(mouth_open=0.3).above)[MIDDLE, 1] > 0


def test_smile_lifts_the_corners_and_sinks_the_middle() -> None:
    rest, smile, sulk = mouth(), mouth(mouth_curve=1.0), mouth(mouth_curve=-1.0)
    assert np.all(smile.corners[:, 1] < rest.corners[:, 1])
    assert smile.above[MIDDLE, 1] > rest.above[MIDDLE, 1]
    assert np.all(sulk.corners[:, 1] > rest.corners[:, 1])
    # Only a smile widens the mouth.
    assert np.ptp(smile.corners[:, 0]) > np.ptp(rest.corners[:, 0]) == np.ptp(sulk.corners[:, 0])


def test_the_mouth_at_rest_may_smile_a_little() -> None:
    assert place_mouth(pupil(rest_curve=0.1), SHAPE, REST).corners[0, 1] < mouth().corners[0, 1]


def test_skew_lifts_the_right_corner() -> None:
    left, right = mouth(mouth_skew=1.0).corners
    assert right[1] < SHAPE.mouth_y < left[1]


def test_shift_moves_and_width_widens() -> None:
    np.testing.assert_allclose(mouth(mouth_shift=0.1).corners[:, 0], mouth().corners[:, 0] + 0.1)
    assert np.isclose(np.ptp(mouth(mouth_width=1.0).corners[:, 0]), 1.22 * 0.7)


def test_pressed_lips_are_thin() -> None:
    full, thin = (one.bottom[MIDDLE, 1] - one.below[MIDDLE, 1] for one in (mouth(), mouth(lip_press=1.0)))
    assert np.isclose(thin, 0.4 * full)


def drawn(**movements: float) -> tuple[np.ndarray, Pen]:
    pen = Pen(np.full((120, 160, 3), SKIN, np.uint8), 60.0, (80.0, 60.0 - 60 * SHAPE.mouth_y))
    face = Expression(**movements)
    draw_mouth(pen, WHO, SHAPE, face, mouth=place_mouth(WHO, SHAPE, face))
    return pen.image, pen


def color_of(name: str, **movements: float) -> np.ndarray:
    """Of the pixel in the middle between two curves."""
    image, pen = drawn(**movements)
    one = mouth(**movements)
    first, second = {"upper lip": (one.top, one.above), "lower lip": (one.below, one.bottom)}.get(
        name, (one.above, one.below)
    )
    share = 0.2 if name == "teeth" else 0.5
    at = first[MIDDLE] * (1 - share) + second[MIDDLE] * share
    column, row = pen.pixels(at[None]).round().astype(int)[0]
    return np.asarray(image[row, column].astype(int))


@pytest.mark.parametrize("name", ["upper lip", "lower lip"])
def test_lips_are_redder_than_skin(name: str) -> None:
    red, green, _ = color_of(name)
    assert red / green > 1.2 * SKIN[0] / SKIN[1]


def test_teeth_are_seen_where_they_are_shown() -> None:
    assert color_of("teeth", mouth_open=0.8, teeth=1.0).min() > 190
    assert color_of("teeth", mouth_open=0.8).max() < 100


def test_shut_mouth_shows_no_teeth() -> None:
    image, _ = drawn(teeth=1.0)
    assert not np.any(np.all(image == (226, 220, 208), axis=2))


def test_tongue_is_seen_in_a_wide_open_mouth() -> None:
    pinks = [np.any(np.all(drawn(mouth_open=gap)[0] == (140, 64, 66), axis=2)) for gap in (0.4, 0.9)]
    assert pinks == [False, True]


def test_nothing_is_drawn_away_from_the_mouth() -> None:
    image, _ = drawn(mouth_open=0.5, teeth=1.0)
    rows, columns = np.nonzero(np.any(image != np.array(SKIN, np.uint8), axis=2))
    assert rows.min() >= 45
    assert rows.max() <= 90
    assert np.abs(columns - 80).max() <= 30
