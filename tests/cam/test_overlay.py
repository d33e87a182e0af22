import matplotlib
import numpy as np

from fercli.cam.overlay import overlay_cam

RED = np.full((6, 4, 3), (200, 40, 40), np.uint8)


def test_face_stays_clear_and_grey_where_the_map_is_zero() -> None:
    picture = overlay_cam(RED, np.zeros((6, 4), np.float32))
    # ITU-R BT.601 luma of (200, 40, 40).
    np.testing.assert_array_equal(picture, np.full((6, 4, 3), round(0.299 * 200 + 0.587 * 40 + 0.114 * 40), np.uint8))


def test_full_opacity_shows_the_colours_of_inferno_in_rgb_order() -> None:
    picture = overlay_cam(RED, np.ones((6, 4), np.float32), opacity=1.0)
    expected = np.array(matplotlib.colormaps["inferno"](1.0)[:3]) * 255
    np.testing.assert_allclose(picture[0, 0], expected, atol=2)


def test_small_map_is_enlarged_to_the_face() -> None:
    cam = np.array([[0.0, 1.0], [0.0, 1.0]], np.float32)
    picture = overlay_cam(RED, cam)
    assert picture.shape == RED.shape
    assert (picture[:, 3] != picture[:, 0]).any()


def test_face_is_not_changed_in_place() -> None:
    face = RED.copy()
    overlay_cam(face, np.ones((6, 4), np.float32))
    np.testing.assert_array_equal(face, RED)
