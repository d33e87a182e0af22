import numpy as np

from fercli.demo.expressions import REST, Expression
from fercli.demo.eyes import place_brow, place_eye
from fercli.demo.folds import shade_folds
from fercli.demo.mouth import place_mouth
from fercli.demo.shape import shape_face
from fercli.demo.strokes import Pen
from tests.demo.pupils import pupil

WHO = pupil()
SHAPE = shape_face(WHO)
SCALE, ORIGIN = 50.0, (75.0, 75.0)
GREY = 150


def shaded(face: Expression) -> np.ndarray:
    """How much lighter each pixel of a grey face becomes."""
    image = np.full((180, 150, 3), GREY, np.uint8)
    left, right = (place_eye(WHO, SHAPE, face, side) for side in (-1, 1))
    brows = (place_brow(WHO, SHAPE, face, -1), place_brow(WHO, SHAPE, face, 1))
    mouth = place_mouth(WHO, SHAPE, face)
    shade_folds(Pen(image, SCALE, ORIGIN), SHAPE, face, (left, right), brows=brows, mouth=mouth)
    return np.asarray(image.astype(int)[..., 0] - GREY)


def near(change: np.ndarray, x: float, y: float, reach: float = 0.1) -> np.ndarray:
    column, row, size = round(ORIGIN[0] + x * SCALE), round(ORIGIN[1] + y * SCALE), round(reach * SCALE)
    return change[row - size : row + size + 1, column - size : column + size + 1]


def test_smile_lights_the_cheeks_and_deepens_the_folds_beside_the_nose() -> None:
    rest, smile = shaded(REST), shaded(Expression(cheek=1.0, mouth_curve=1.0))
    for side in (-1, 1):
        assert near(smile, side * 0.56, 0.34).max() > near(rest, side * 0.56, 0.34).max() + 5
        at = (side * 0.45, (SHAPE.nose_y + SHAPE.mouth_y) / 2)
        assert near(smile, *at, reach=0.2).min() < near(rest, *at, reach=0.2).min() - 10


def test_sulking_draws_lines_below_the_corners_of_the_mouth() -> None:
    face = Expression(mouth_curve=-1.0)
    corner = place_mouth(WHO, SHAPE, face).corners[1]
    assert near(shaded(face), corner[0] + 0.02, corner[1] + 0.06, reach=0.06).min() < -30


def test_knitted_brows_make_a_frown_between_them() -> None:
    rest, frown = (shaded(Expression(brow_knit=share)) for share in (0.0, 1.0))
    at = (0.0, SHAPE.brow_y + 0.05)
    assert near(frown, *at).min() < near(rest, *at).min() - 20
    assert np.array_equal(shaded(Expression(brow_knit=0.2)), rest)


def test_lifted_brow_wrinkles_its_own_side_of_the_forehead() -> None:
    change = shaded(Expression(brow_left=0.2))
    assert near(change, -SHAPE.eye_x, -0.7, reach=0.15).min() < -10
    assert near(change, SHAPE.eye_x, -0.7, reach=0.15).min() == 0


def test_bags_are_shaded_below_both_eyes() -> None:
    change = shaded(Expression(bags=1.0))
    for side in (-1, 1):
        assert near(change, side * SHAPE.eye_x, 0.17).min() < near(shaded(REST), side * SHAPE.eye_x, 0.17).min() - 10


def test_skin_outside_the_middle_of_the_face_stays_as_it_is() -> None:
    change = shaded(Expression(cheek=1.0, mouth_curve=-1.0, brow_knit=1.0, bags=1.0))
    assert not change[:, :30].any()
    assert not change[:, -30:].any()
    assert not change[:35].any()
