import numpy as np
import pytest

from fercli.reports.figures.grids import CamCase, CamRow, SheetFace, draw_cam_grid, draw_contact_sheet
from tests.reports.pictures import plain_face, read_png, share_of

RED, BLUE, EMPTY = (255, 0, 0), (0, 0, 255), (0xE3, 0xE6, 0xEA)


def case(predicted: str = "happy") -> CamCase:
    return CamCase(plain_face(RED), plain_face(BLUE), true="happy", predicted=predicted, probability=0.7)


def test_grid_shows_each_face_and_its_overlay_once() -> None:
    one = read_png(draw_cam_grid([CamRow("happy", (case(),), (case("bored"),))], num_per_side=1))
    assert share_of(one, RED) == pytest.approx(share_of(one, BLUE), rel=0.02)
    assert share_of(one, RED) > 0.1
    assert share_of(one, EMPTY) < 0.001


def test_row_without_a_wrong_case_is_filled_with_a_labelled_blank() -> None:
    picture = read_png(draw_cam_grid([CamRow("happy", (case(),), ())], num_per_side=1))
    assert share_of(picture, EMPTY) > 0.1
    blank = picture[:, picture.shape[1] // 2 :]
    assert ((blank[:, :, 0] < 140) & (blank[:, :, 2] < 150)).any()  # the words on it


def test_every_row_of_the_grid_is_filled() -> None:
    rows = [CamRow("happy", (), ()), CamRow("tired", (case(),), ()), CamRow("bored", (), (case("bored"),))]
    picture = read_png(draw_cam_grid(rows, num_per_side=2, title="t", legend="l"))
    bands = np.array_split(picture[90:-70], 3)
    for band in bands:
        assert share_of(band, EMPTY) + share_of(band, RED) + share_of(band, BLUE) > 0.4


def test_grid_is_the_same_bytes_every_time() -> None:
    rows = [CamRow("happy", (case(), case()), (case("bored"),))]
    assert draw_cam_grid(rows, num_per_side=2) == draw_cam_grid(rows, num_per_side=2)


def test_contact_sheet_begins_a_new_row_after_its_last_column() -> None:
    faces = [SheetFace(plain_face(RED), ("s001", "12 faces")) for _ in range(5)]
    wide, narrow = (read_png(draw_contact_sheet(faces, num_columns=columns)) for columns in (5, 2))
    assert wide.shape[1] > 2 * narrow.shape[1]
    assert narrow.shape[0] > 2.5 * wide.shape[0]


def test_contact_sheet_without_a_face_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="at least one face"):
        draw_contact_sheet([])
