"""The contact sheet shows what it is given."""

import numpy as np

from fercli.vision.sheets import TILE_PX, SheetRow, contact_sheet


def flat(value: int, side: int = 112) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def test_every_picture_has_its_tile_and_every_row_its_line() -> None:
    sheet = contact_sheet([SheetRow("s001", "2 faces", [flat(7), flat(8)]), SheetRow("s002", "", [flat(9, 24)])])
    counts = [int((sheet == value).all(axis=2).sum()) for value in (7, 8, 9)]
    assert counts == [TILE_PX**2] * 3


def test_more_pictures_than_columns_are_left_out() -> None:
    sheet = contact_sheet([SheetRow("s", "", [flat(50)] * 9)], num_columns=4)
    assert (sheet == 50).all(axis=2).sum() == 4 * TILE_PX**2


def test_titles_are_written_even_in_letters_that_cannot_be_drawn() -> None:
    sheet = contact_sheet([SheetRow("Zoë 王", "", [])])
    assert sheet.min() < 128


def test_no_rows_make_an_empty_sheet() -> None:
    assert contact_sheet([]).min() == 255


def test_pictures_do_not_cover_long_words() -> None:
    note = "two people? the other one from lesson-4/f000048-1 on"
    alone, beside = (contact_sheet([SheetRow("s044", note, images)], num_columns=1) for images in ([], [flat(7)]))
    words = (alone < 200).all(axis=2)
    assert (beside[words] == alone[words]).all()
    assert (beside == 7).all(axis=2).sum() == TILE_PX**2
