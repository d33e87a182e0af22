import numpy as np

from fercli.demo.room import paint_room
from fercli.demo.seats import Seat
from tests.demo.pupils import FRONT, pupil

SIZE = (640, 360)


def room(pupils: tuple[Seat, ...] = (), seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    seated = tuple((pupil(), seat) for seat in pupils)
    return paint_room(size, seated, light=FRONT, rng=np.random.default_rng(seed))


def middle_of(frame: np.ndarray, left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Mean colour of a box in pixels of 1280x720."""
    part = frame[round(top / 2) : round(bottom / 2), round(left / 2) : round(right / 2)]
    return np.asarray(part.reshape(-1, 3).mean(axis=0))


def test_room_has_the_size_of_the_frame() -> None:
    assert room().shape == (360, 640, 3)
    assert room(size=(320, 320)).shape == (320, 320, 3)


def test_same_seed_is_the_same_room() -> None:
    assert np.array_equal(room(), room())
    assert not np.array_equal(room(), room(seed=1))


def test_wall_is_brighter_than_the_floor_and_both_darken_away_from_the_window() -> None:
    empty = room()
    wall, far_wall = middle_of(empty, 270, 270, 320, 310), middle_of(empty, 1255, 100, 1278, 300)
    floor, far_floor = middle_of(empty, 100, 400, 200, 450), middle_of(empty, 1100, 400, 1200, 450)
    assert wall.mean() > floor.mean() + 30
    assert far_wall.mean() < wall.mean()
    assert far_floor.mean() < floor.mean()


def test_things_hang_where_a_detector_meets_them() -> None:
    empty = room()
    wall = middle_of(empty, 680, 200, 730, 300).mean()
    assert middle_of(empty, 736, 84, 748, 92).mean() > wall  # the clock's face
    red, _, blue = middle_of(empty, 1000, 85, 1010, 95)
    assert blue > red  # the globe's sea
    assert middle_of(empty, 1160, 100, 1230, 300).mean() < wall  # the door
    assert middle_of(empty, 135, 60, 175, 200).mean() > wall  # the window


def test_pupil_sits_behind_a_desk() -> None:
    seat = Seat(0, (320.0, 150.0), 25.0, 1.0)
    change = np.any(room((seat,)) != room(), axis=2)
    assert change[150 + round(2.6 * 25), 320]  # the chest
    assert change[150 + round(4.5 * 25), 320 - 60 : 320 + 60].all()  # the desk's front
    assert not change[150, 320]  # the head comes later, frame by frame
    assert not change[:, :200].any()
    paper_or_wood = room((seat,))[150 + round(3.9 * 25), 320]
    assert paper_or_wood[0] > paper_or_wood[2]


def test_front_row_hides_the_row_behind() -> None:
    front, back = Seat(0, (320.0, 190.0), 25.0, 1.0), Seat(1, (320.0, 120.0), 20.0, 1.0)
    alone = room((front,))
    body = np.s_[190 + round(2.8 * 25) : 190 + round(3.0 * 25), 300:340]
    assert np.array_equal(room((back, front))[body], room((front, back))[body])
    # What lies in front is painted over what lies behind, whatever the order in which they are named.
    assert np.abs(room((back, front))[body].astype(int) - alone[body]).mean() < 3
