import dataclasses
from dataclasses import FrozenInstanceError, fields

import pytest

from fercli.core import rows

TABLES = [kind for kind in vars(rows).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]


def test_rows_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        rows.Video("v", "v.mp4", "0" * 64, 1, 640, 360).fps = 25.0  # type: ignore[misc]  # what is tried


def test_a_face_has_a_place_for_each_of_five_points_and_for_the_affine() -> None:
    columns = [field.name for field in fields(rows.Face)]
    points = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    start = columns.index("left_eye_x")
    assert columns[start : start + 10] == [f"{point}_{axis}" for point in points for axis in "xy"]
    start = columns.index("m00")
    assert columns[start : start + 6] == ["m00", "m01", "m02", "m10", "m11", "m12"]


def test_what_is_not_known_of_a_face_is_empty_and_it_counts_as_cut_out() -> None:
    face = rows.Face("f", "", "v")
    assert (face.time_s, face.left, face.confidence, face.path, face.subject_id) == (None, None, None, "", "")
    assert (face.status, face.reason, face.source_row) == ("ok", "", None)


def test_shares_of_one_label_are_not_those_of_another() -> None:
    first, second = (rows.Label(name, "", "tie", "majority", 2) for name in "ab")
    first.probabilities["happy"] = 0.5
    assert second.probabilities == {}


def test_parts_are_named_in_the_order_in_which_they_are_told() -> None:
    assert rows.SPLITS == ("train", "val", "test")


def test_every_table_says_in_which_file_it_stands() -> None:
    documents = [str(kind.__doc__).splitlines()[0] for kind in TABLES]
    assert len(documents) >= 8
    assert all(".csv" in document for document in documents)
