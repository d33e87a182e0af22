import numpy as np

from fercli.demo.canvas import Canvas, Layers, blur, grain, paste

CANVAS = Canvas.spanning((-1.0, -2.0, 3.0, 1.0), 10.0)
SQUARE = np.array([(0.0, -1.0), (1.0, -1.0), (1.0, 0.0), (0.0, 0.0)])


def test_canvas_is_as_large_as_what_it_spans() -> None:
    assert (CANVAS.height, CANVAS.width, CANVAS.origin) == (30, 40, (10.0, 20.0))


def test_grid_counts_face_units_from_the_origin() -> None:
    x, y = CANVAS.grid()
    assert x.shape == y.shape == (30, 40)
    assert (x[20, 10], y[20, 10]) == (0.0, 0.0)
    assert (x[0, 0], y[0, 0]) == (-1.0, -2.0)
    assert np.isclose(x[3, 30], 2.0)
    assert np.isclose(y[25, 7], 0.5)


def test_mask_is_one_inside_the_polygon_and_nothing_outside() -> None:
    mask = CANVAS.mask(SQUARE)
    assert np.all(mask[11:20, 11:20] == 1.0)
    assert not mask[:9].any()
    assert not mask[:, 22:].any()


def test_layers_lie_over_one_another() -> None:
    layers = Layers.empty(Canvas(1, 3, 1.0, (0.0, 0.0)))
    layers.lay(np.full((1, 3, 3), 200.0, np.float32), np.array([[1.0, 0.5, 0.0]], np.float32))
    layers.lay(np.full((1, 3, 3), 100.0, np.float32), np.array([[0.5, 0.5, 0.0]], np.float32))
    # Premultiplied: 200 under half of 100 is 150; half of 200 under half of 100 is 100, three quarters covered.
    np.testing.assert_allclose(layers.rgb[0, :, 0], [150.0, 100.0, 0.0])
    np.testing.assert_allclose(layers.alpha[0], [1.0, 0.75, 0.0])


def test_brightness_changes_colour_and_not_alpha() -> None:
    layers = Layers.empty(Canvas(1, 1, 1.0, (0.0, 0.0)))
    layers.lay(np.full((1, 1, 3), 200.0, np.float32), np.ones((1, 1), np.float32))
    rgb, alpha = layers.to_bytes(0.5)
    assert (rgb.ravel().tolist(), alpha.item()) == ([100, 100, 100], 255)
    assert layers.to_bytes(2.0)[0].max() == 255


def test_blur_spreads_and_keeps_the_sum() -> None:
    plane = np.zeros((21, 21), np.float32)
    plane[10, 10] = 1.0
    soft = blur(plane, 2.0)
    assert np.isclose(soft.sum(), 1.0, atol=1e-4)
    # A normal curve in two directions: 1 / (2 pi 2^2).
    assert np.isclose(soft[10, 10], 1 / (8 * np.pi), rtol=0.05)


def test_grain_has_spread_one_and_neighbours_alike() -> None:
    noise = grain((200, 200), 3.0, np.random.default_rng(0))
    assert np.isclose(noise.std(), 1.0, atol=1e-3)
    assert abs(noise.mean()) < 0.1
    assert np.abs(np.diff(noise)).mean() < 0.5


def opaque(color: tuple[int, int, int], size: int = 4) -> np.ndarray:
    return np.full((size, size, 4), (*color, 255), np.uint8)


def matrix(left: float, top: float, zoom: float = 1.0) -> np.ndarray:
    return np.array([(zoom, 0.0, left), (0.0, zoom, top)])


def test_picture_is_pasted_where_the_matrix_takes_it_and_nowhere_else() -> None:
    frame = np.full((12, 12, 3), 50, np.uint8)
    paste(frame, opaque((10, 20, 30)), matrix(3, 5))
    assert np.all(frame[5:9, 3:7] == (10, 20, 30))
    frame[5:9, 3:7] = 50
    assert np.all(frame == 50)


def test_half_clear_picture_lets_half_of_the_frame_through() -> None:
    frame = np.full((4, 4, 3), 100, np.uint8)
    rgba = np.full((4, 4, 4), (60, 0, 0, 128), np.uint8)
    paste(frame, rgba, matrix(0, 0))
    # 100 * 127 / 255 = 49.8
    assert np.abs(frame[1, 1].astype(int) - (110, 50, 50)).max() <= 1


def test_what_lies_beyond_the_frame_is_cut_off() -> None:
    frame = np.full((6, 6, 3), 50, np.uint8)
    paste(frame, opaque((10, 20, 30)), matrix(-2, 4))
    assert np.all(frame[4:, :2] == (10, 20, 30))
    assert np.all(frame[:4] == 50)
    before = frame.copy()
    for place in (matrix(6, 0), matrix(0, 6), matrix(-4, 0), matrix(0, -4)):
        paste(frame, opaque((1, 1, 1)), place)
    assert np.array_equal(frame, before)
