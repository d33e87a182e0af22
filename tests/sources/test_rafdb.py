from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError
from fercli.sources.rafdb import LABELS, read_rafdb
from fercli.vision.images import read_image
from tests.sources.trees import options, read_all, write_rafdb

HOW = options("raf-db")


@pytest.fixture
def rafdb(tmp_path: Path) -> Path:
    codes = [(f"train_{n:05d}.jpg", n) for n in range(1, 8)]
    return write_rafdb(tmp_path / "basic", [*codes, ("test_0001.jpg", 4)])


def test_codes_one_to_seven_are_the_published_emotions(rafdb: Path) -> None:
    items, _, _ = read_all(read_rafdb, rafdb, HOW)
    expected = ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral", "happiness"]
    assert [item.emotion for item in items] == expected
    assert [item.part for item in items] == ["train"] * 7 + ["test"]


def test_each_line_has_its_aligned_picture(rafdb: Path) -> None:
    items, images, _ = read_all(read_rafdb, rafdb, HOW)
    assert items[1].where == "Image/aligned/train_00002_aligned.jpg"
    np.testing.assert_array_equal(images[1], read_image(rafdb / items[1].where))


def test_the_folder_above_basic_will_do(rafdb: Path) -> None:
    assert len(read_all(read_rafdb, rafdb.parent, HOW)[0]) == 8


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("train_00002.jpg 8", "emotion code '8' is not 1..7"),
        ("train_00002.jpg", "'train_00002.jpg' is not a file name and a code"),
        ("val_00002.jpg 3", "'val_00002.jpg' does not begin with train_ or test_"),
        ("train_/../../x.jpg 3", "'train_/../../x.jpg' does not begin with train_ or test_"),
    ],
    ids=["code", "no code", "part", "climbing out"],
)
def test_a_bad_line_is_told_and_the_others_stay(rafdb: Path, line: str, reason: str) -> None:
    text = (rafdb / LABELS).read_text(encoding="utf-8").replace("train_00002.jpg 2", line)
    (rafdb / LABELS).write_text(text, encoding="utf-8")
    items, _, failures = read_all(read_rafdb, rafdb, HOW)
    assert [(f.item, f.reason) for f in failures] == [("list_patition_label.txt:2", reason)]
    assert [item.row for item in items] == [0, 2, 3, 4, 5, 6, 7]


def test_a_missing_picture_is_told(rafdb: Path) -> None:
    (rafdb / "Image" / "aligned" / "test_0001_aligned.jpg").unlink()
    items, _, failures = read_all(read_rafdb, rafdb, HOW)
    assert len(items) == 7
    assert [(f.item, f.reason) for f in failures] == [
        ("Image/aligned/test_0001_aligned.jpg", "cannot be read: No such file or directory")
    ]


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no RAF-DB data found in .*: EmoLabel/list_patition_label.txt"):
        read_all(read_rafdb, tmp_path, HOW)


def test_an_empty_list_is_refused(rafdb: Path) -> None:
    (rafdb / LABELS).write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="no line can be read: it is empty"):
        read_all(read_rafdb, rafdb, HOW)
