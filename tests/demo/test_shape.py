import numpy as np
import pytest

from fercli.demo.shape import carve_relief, jaw_share, shade_relief, shape_face
from tests.demo.pupils import FRONT, pupil


def mirrored(plane: np.ndarray) -> np.ndarray:
    return plane[:, ::-1]


def grid(reach: float = 2.0, num: int = 81) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.linspace(-reach, reach, num), np.linspace(-reach, reach, num))
    return x, y


def test_average_face_is_two_units_wide_and_alike_on_both_sides() -> None:
    outline = shape_face(pupil()).outline
    assert np.isclose(np.ptp(outline[:, 0]), 2 * 1.01, atol=0.03)
    assert np.isclose(outline[:, 0].max(), -outline[:, 0].min(), atol=1e-9)
    assert np.isclose(outline[:, 1].max(), 1.64, atol=0.02)


def test_wide_face_is_wider_everywhere_and_a_wide_jaw_below() -> None:
    plain, wide, jaw = (shape_face(pupil(**change)).outline for change in ({}, {"face_width": 1.1}, {"jaw": 1.1}))
    np.testing.assert_allclose(wide[:, 0], 1.1 * plain[:, 0])
    low, high = plain[:, 1] > 1.05, plain[:, 1] < -0.3
    np.testing.assert_allclose(jaw[high, 0], plain[high, 0])
    assert np.all(np.abs(jaw[low, 0]) >= np.abs(plain[low, 0]))
    assert np.abs(jaw[low, 0]).max() > 1.05 * np.abs(plain[low, 0]).max()


def test_features_lie_one_below_the_other() -> None:
    shape = shape_face(pupil(chin=0.05, nose_length=0.05))
    assert shape.brow_y < 0 < shape.nose_y < shape.mouth_y < shape.chin_y
    assert (shape.eye_x, shape.brow_y) == (0.45, -0.32)
    assert np.isclose(shape.chin_y - shape_face(pupil()).chin_y, 0.05)
    assert np.isclose(shape.nose_y - shape_face(pupil()).nose_y, 0.05)


def test_nose_stands_out_most_and_eyes_lie_deep() -> None:
    identity = pupil()
    shape = shape_face(identity)
    x, y = grid()
    relief = carve_relief(shape, identity, x, y)
    row, column = np.unravel_index(np.argmax(relief), relief.shape)
    assert abs(x[row, column]) < 0.1
    assert abs(y[row, column] - shape.nose_y) < 0.15
    np.testing.assert_allclose(relief, mirrored(relief), atol=1e-6)
    at = np.array([(0.0, -0.1), (shape.eye_x, shape.brow_y), (0.56, 0.48), (shape.eye_x, 0.0)])
    bridge, brow, cheek, eye = carve_relief(shape, identity, at[:, :1], at[:, 1:])[:, 0]
    assert eye < min(bridge, brow, cheek) - 0.03


def test_flat_relief_is_as_bright_as_it_is() -> None:
    # The glance adds its 0.07 to 0.52 + 0.56.
    shade = shade_relief(np.zeros((9, 9), np.float32), 10.0, FRONT)
    np.testing.assert_allclose(shade, (0.52 + 0.56 + 0.07) / (0.52 + 0.56), rtol=1e-6)


@pytest.mark.parametrize("light", [(-0.6, 0.0, 0.8), (0.0, -0.6, 0.8)], ids=["left", "above"])
def test_what_faces_the_light_is_bright(light: tuple[float, float, float]) -> None:
    x, y = grid(1.0, 41)
    ball = np.sqrt(np.clip(2 - x**2 - y**2, 0, None)).astype(np.float32)
    shade = shade_relief(ball, 20.0, light)
    lit, dark = (shade[:, 5], shade[:, 35]) if light[0] else (shade[5], shade[35])
    assert np.all(lit[5:36] > dark[5:36] + 0.2)


def test_brightness_does_not_depend_on_how_long_the_light_is() -> None:
    x, _ = grid(1.0, 21)
    one, other = (shade_relief(x.astype(np.float32), 10.0, light) for light in ((0.6, 0.0, 0.8), (6.0, 0.0, 8.0)))
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_jaw_takes_the_chin_along_and_leaves_the_nose() -> None:
    shape = shape_face(pupil())
    y = np.linspace(-1.5, 1.9, 60)[:, None]
    share = jaw_share(shape, y)
    assert np.all(share[y < shape.mouth_y - 0.03] == 0)
    assert np.all(share[y > shape.mouth_y + 0.7] == 1)
    assert np.all(np.diff(share[:, 0]) >= 0)
    # Half the way down it goes along by half.
    assert np.isclose(jaw_share(shape, np.array([[shape.mouth_y - 0.02 + 0.35]])).item(), 0.5)
