import numpy as np
import pytest

from fercli.demo.seats import SEATS, place_seats


def test_front_row_is_nearer_than_the_back_row() -> None:
    seats = place_seats(SEATS, (1280, 720), np.random.default_rng(0))
    widths = [np.mean([2 * seat.unit_px for seat in seats if seat.row == row]) for row in range(3)]
    assert 75 < widths[0] < 95
    assert widths[0] > widths[1] > widths[2] > 45


def test_no_head_hides_another() -> None:
    seats = place_seats(SEATS, (1280, 720), np.random.default_rng(0))
    for first in seats:
        for second in seats:
            gap = np.hypot(first.center[0] - second.center[0], first.center[1] - second.center[1])
            assert first is second or gap > 3.2 * min(first.unit_px, second.unit_px)


def test_a_smaller_frame_shrinks_the_room() -> None:
    large, small = (place_seats(3, size, np.random.default_rng(0)) for size in ((1280, 720), (640, 360)))
    for a, b in zip(large, small, strict=True):
        assert np.isclose(a.unit_px, 2 * b.unit_px)
        np.testing.assert_allclose(a.center, 2 * np.array(b.center))


@pytest.mark.parametrize("number", [0, SEATS + 1])
def test_room_refuses_more_pupils_than_seats(number: int) -> None:
    with pytest.raises(ValueError, match="seats 1 to 12"):
        place_seats(number, (1280, 720), np.random.default_rng(0))
