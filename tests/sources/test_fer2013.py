from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError
from fercli.sources.fer2013 import fer2013_roles, read_fer2013
from fercli.sources.items import SourceItem
from fercli.vision.images import write_jpeg, write_png
from tests.sources.trees import grey, options, pixels, read_all, write_class_folders, write_fer2013

HOW = options("fer2013")


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    rows = [(3, grey(0), "Training"), (0, grey(1), "PublicTest"), (6, grey(2), "PrivateTest")]
    return write_fer2013(tmp_path / "fer2013.csv", rows)


def broken(csv: Path, line: str) -> str:
    """The reason that is given when the second row is replaced by `line`."""
    lines = csv.read_text(encoding="utf-8").splitlines()
    csv.write_text("\n".join([*lines[:2], line, *lines[3:]]) + "\n", encoding="utf-8")
    items, _, failures = read_all(read_fer2013, csv, HOW)
    assert [item.row for item in items] == [0, 2]
    assert [failure.item for failure in failures] == ["fer2013.csv:3"]
    return failures[0].reason


def test_rows_keep_their_order_label_and_part(csv: Path) -> None:
    items, _, failures = read_all(read_fer2013, csv, HOW)
    assert not failures
    assert items == [
        SourceItem(0, "fer2013.csv:2", "happy", "Training"),
        SourceItem(1, "fer2013.csv:3", "angry", "PublicTest"),
        SourceItem(2, "fer2013.csv:4", "neutral", "PrivateTest"),
    ]


def test_pixels_come_back_as_they_were(csv: Path) -> None:
    _, images, _ = read_all(read_fer2013, csv, HOW)
    np.testing.assert_array_equal(images, [grey(0), grey(1), grey(2)])


def test_a_folder_that_holds_the_csv_will_do(csv: Path) -> None:
    assert len(read_all(read_fer2013, csv.parent, HOW)[0]) == 3


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("emotion, Usage, pixels", "3,Training,{pixels}"),
        ("\ufeffemotion,pixels,Usage", '3,"{pixels}",Training'),
        ("Usage,emotion,pixels", "Training,3,{pixels}"),
    ],
    ids=["icml_face_data", "spreadsheet", "other order"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_other_headers_are_read_too(tmp_path: Path, header: str, line: str, end: str) -> None:
    text = end.join([header, line.format(pixels=pixels(grey(5))), ""])
    (tmp_path / "icml_face_data.csv").write_bytes(text.encode())
    items, images, failures = read_all(read_fer2013, tmp_path, HOW)
    assert (items[0].emotion, items[0].part, failures) == ("happy", "Training", [])
    np.testing.assert_array_equal(images[0], grey(5))


def test_more_rows_than_a_batch_come_whole(tmp_path: Path) -> None:
    rows = [(n % 7, np.full((48, 48), n % 256, np.uint8), "Training") for n in range(1100)]
    items, images, _ = read_all(read_fer2013, write_fer2013(tmp_path / "fer2013.csv", rows), HOW)
    assert [item.row for item in items] == list(range(1100))
    assert [int(image[0, 0]) for image in images] == [n % 256 for n in range(1100)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"9,{pixels(grey(1))},Training", "emotion code '9' is not 0..6"),
        (f"x,{pixels(grey(1))},Training", "emotion code 'x' is not 0..6"),
        (f"3,{pixels(grey(1))},Holiday", "Usage 'Holiday' is not Training, PublicTest, PrivateTest"),
        ("3,1 2 3,Training", "3 pixels instead of 2304"),
        ("3,,Training", "0 pixels instead of 2304"),
        (f"3,{pixels(grey(1))} 7,Training", "2305 pixels instead of 2304"),
        (f"3,{pixels(grey(1)).rpartition(' ')[0]} 256,Training", "a pixel lies outside 0..255"),
        (f"3,{pixels(grey(1)).rpartition(' ')[0]} -1,Training", "a pixel lies outside 0..255"),
        (f"3,{pixels(grey(1)).rpartition(' ')[0]} x,Training", "a pixel value is not a whole number"),
        ("3,Training", "2 cells instead of 3"),
        ("", "1 cell instead of 3"),
        ("3," + "1" * 200_000 + ",Training", "2 cells instead of 3"),
    ],
    ids=lambda value: str(value)[:18],
)
def test_a_bad_row_is_told_with_its_line_and_the_others_stay(csv: Path, line: str, reason: str) -> None:
    assert broken(csv, line) == reason


def test_empty_lines_at_the_end_are_no_rows(csv: Path) -> None:
    csv.write_text(csv.read_text(encoding="utf-8") + "\n\n", encoding="utf-8")
    items, _, failures = read_all(read_fer2013, csv, HOW)
    assert (len(items), failures) == (3, [])


def test_another_table_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text("name,age\nA,3\n", encoding="utf-8")
    with pytest.raises(
        InputError, match="missing column emotion, pixels, usage; its first line is name, age"
    ) as caught:
        read_all(read_fer2013, tmp_path, HOW)
    assert "emotion, pixels, Usage" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02" * 100], ids=["empty", "binary"])
def test_a_file_that_is_no_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fer2013.csv").write_bytes(content)
    with pytest.raises(InputError, match="missing column emotion, pixels, usage"):
        read_all(read_fer2013, tmp_path / "fer2013.csv", HOW)


def test_a_table_without_one_good_row_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text("emotion,pixels,Usage\n3,1 2,Training\n", encoding="utf-8")
    with pytest.raises(InputError, match="no row can be read; line 2: 2 pixels instead of 2304"):
        read_all(read_fer2013, tmp_path, HOW)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'.*nowhere' does not exist"):
        read_all(read_fer2013, tmp_path / "nowhere", HOW)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no FER2013 data found in"):
        read_all(read_fer2013, tmp_path, HOW)


def test_kaggles_folders_take_the_part_from_the_file_name(tmp_path: Path) -> None:
    write_png(tmp_path / "train" / "happy" / "Training_7.png", np.dstack([grey(7)] * 3))
    write_png(tmp_path / "test" / "sad" / "PublicTest_3.png", np.dstack([grey(3)] * 3))
    write_png(tmp_path / "test" / "sad" / "PrivateTest_4.png", np.dstack([grey(4)] * 3))
    items, images, _ = read_all(read_fer2013, tmp_path, HOW)
    assert [(item.part, item.emotion) for item in items] == [
        ("PrivateTest", "sad"),
        ("PublicTest", "sad"),
        ("Training", "happy"),
    ]
    np.testing.assert_array_equal(images, [grey(4), grey(3), grey(7)])


def test_kaggles_folders_without_such_names_have_a_test_part(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "train" / "happy" / "im0.jpg", np.dstack([grey(7)] * 3))
    write_jpeg(tmp_path / "test" / "fear" / "im1.jpg", np.dstack([grey(3)] * 3))
    assert [item.part for item in read_all(read_fer2013, tmp_path, HOW)[0]] == ["test", "Training"]


def test_a_picture_of_another_size_is_told_and_the_others_stay(tmp_path: Path) -> None:
    write_png(tmp_path / "train" / "happy" / "a.png", np.dstack([grey(7)] * 3))
    write_png(tmp_path / "train" / "happy" / "b.png", np.dstack([grey(7, side=50)] * 3))
    items, _, failures = read_all(read_fer2013, tmp_path, HOW)
    assert [item.where for item in items] == ["train/happy/a.png"]
    assert [(f.item, f.reason) for f in failures] == [("train/happy/b.png", "50x50 pixels instead of 48x48")]


@pytest.mark.parametrize(
    ("parts", "roles"),
    [
        (("Training", "PublicTest", "PrivateTest"), {"PublicTest": "val", "PrivateTest": "test"}),
        (("Training", "PublicTest"), {"PublicTest": "test"}),
        (("Training", "test"), {"test": "test"}),
    ],
    ids=["full", "without PrivateTest", "folders without part names"],
)
def test_parts_mean_the_published_splits(parts: tuple[str, ...], roles: dict[str, str]) -> None:
    assert {part: fer2013_roles(parts)[part] for part in parts} == {"Training": "train"} | roles


@pytest.mark.parametrize("around", [".", "images", "images/images"])
def test_form_with_train_and_validation_folders_is_read(tmp_path: Path, around: str) -> None:
    write_class_folders(tmp_path / around / "train", ["angry", "happy"], side=48)
    write_class_folders(tmp_path / around / "validation", ["happy"], side=48)
    items, _, failures = read_all(read_fer2013, tmp_path, options("fer2013"))
    assert not failures
    assert {(item.part, item.emotion) for item in items} == {
        ("Training", "angry"), ("Training", "happy"), ("validation", "happy"),
    }  # fmt: skip
    assert fer2013_roles({"Training", "validation"})["validation"] == "test"
