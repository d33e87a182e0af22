import pytest

from fercli.vision.mtcnn.scales import WINDOW_PX, level_scales, with_whole_level


@pytest.mark.parametrize("side", [60, 100, 112, 224, 400, 640, 999, 1000])
def test_largest_window_is_the_whole_of_the_shorter_side(side: int) -> None:
    scales = with_whole_level(level_scales((side, side + 7, 3), 0.85 * 12 / 20, 0.62), (side, side + 7, 3))
    assert int(side * scales[-1]) >= WINDOW_PX
    assert WINDOW_PX / scales[-1] >= 0.95 * side
    assert scales == sorted(scales, reverse=True)


def test_picture_too_small_for_a_window_has_no_level() -> None:
    assert with_whole_level(level_scales((20, 20, 3), 0.5, 0.62), (20, 20, 3)) == []
