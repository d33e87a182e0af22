import numpy as np

from fercli.demo.strokes import Pen, between, blend, mix_colors, moved, smooth_curve, tone


def test_curve_runs_through_its_points() -> None:
    points = np.array([(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)])
    np.testing.assert_allclose(smooth_curve(points, steps=5)[::5], points)


def test_closed_curve_runs_through_its_points_and_ends_before_the_first() -> None:
    points = np.array([(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)])
    curve = smooth_curve(points, closed=True, steps=4)
    assert len(curve) == 16
    np.testing.assert_allclose(curve[::4], points)


def test_filled_square_covers_its_pixels_and_no_others() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    square = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    Pen(image, 10.0, (10.0, 10.0)).fill(square, (200.0, 100.0, 50.0))
    assert tuple(image[10, 10]) == (200, 100, 50)
    assert tuple(image[5, 15]) == (200, 100, 50)
    assert not image[:3].any()
    assert not image[:, 18:].any()


def test_blend_moves_as_far_as_the_mask_says() -> None:
    part = np.full((1, 3, 3), 100, np.uint8)
    blend(part, (200.0, 0.0, 100.0), np.array([[0, 255, 51]], np.uint8))
    assert part[0].tolist() == [[100, 100, 100], [200, 0, 100], [120, 80, 100]]


def test_between_goes_out_along_one_curve_and_back_along_the_other() -> None:
    first = np.array([(0.0, 0.0), (1.0, 0.0)])
    assert between(first, moved(first, 0, 2)).tolist() == [[0, 0], [1, 0], [1, 2], [0, 2]]


def test_colours_mix_in_proportion_and_stay_in_range() -> None:
    assert mix_colors((0.0, 100.0, 200.0), (100.0, 100.0, 0.0), 0.25) == (25.0, 100.0, 150.0)
    assert tone((100.0, 200.0, 10.0), 2.0) == (200.0, 255.0, 20.0)
