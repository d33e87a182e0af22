from pathlib import Path

import matplotlib
import numpy as np
import pytest

from fercli.vision.annotate import COLORS, Mark, draw_marks

FONT = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
GREY = np.full((240, 320, 3), 120, np.uint8)
ORANGE = COLORS[0]


def mark(left: float = 100, top: float = 80, text: str = "happy 87 %") -> Mark:
    return Mark(left, top, 60, 70, text, ORANGE)


def test_picture_itself_is_not_changed() -> None:
    image = GREY.copy()
    draw_marks(image, [mark()])
    assert (image == GREY).all()


def test_box_has_its_colour_on_its_edge_and_nothing_inside() -> None:
    drawn = draw_marks(GREY, [mark()])
    assert (drawn[149, 100:160] == ORANGE).all()
    assert (drawn[80:150, 100] == ORANGE).all()
    assert (drawn[80:150, 159] == ORANGE).all()
    assert (drawn[84:146, 104:156] == 120).all()


def test_words_stand_above_the_box_in_black_on_its_colour() -> None:
    drawn = draw_marks(GREY, [mark()], FONT)
    label = drawn[60:80, 100:180]
    assert (label == ORANGE).all(axis=2).mean() > 0.4
    assert (label.max(axis=2) < 40).mean() > 0.03


def test_words_on_a_dark_colour_are_white() -> None:
    drawn = draw_marks(GREY, [Mark(100, 80, 60, 70, "sad", (0, 114, 178))], FONT)
    assert (drawn[60:80, 100:140].min(axis=2) > 215).mean() > 0.03


def test_words_of_a_box_at_the_top_stand_in_it() -> None:
    drawn = draw_marks(GREY, [mark(top=3)], FONT)
    assert (drawn[6:24, 104:150] == ORANGE).all(axis=2).mean() > 0.4


def test_letters_beyond_ascii_differ() -> None:
    one, other = (draw_marks(GREY, [mark(text=text)], FONT) for text in ("müde", "möde"))
    assert (one != other).any()


@pytest.mark.parametrize("place", [(-30.0, -40.0), (300.0, 220.0), (-500.0, 50.0), (900.0, 900.0), (310.0, 3.0)])
def test_box_beyond_the_frame_is_cut_off(place: tuple[float, float]) -> None:
    assert draw_marks(GREY, [mark(*place)], FONT).shape == GREY.shape


def test_words_wider_than_the_picture_are_cut() -> None:
    small = np.zeros((30, 20, 3), np.uint8)
    assert draw_marks(small, [Mark(2, 2, 10, 10, "a very long label", ORANGE)]).shape == small.shape


def test_no_marks_change_nothing() -> None:
    assert (draw_marks(GREY, []) == GREY).all()
