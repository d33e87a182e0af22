from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError
from fercli.sources.affectnet import read_affectnet
from fercli.vision.images import decode_image, write_png
from tests.sources.trees import colour, options, read_all, write_affectnet

EIGHT = options("affectnet8")
SEVEN = options("affectnet7")
HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"


def left_out(path: Path, how: object) -> Counter[str]:
    words: Counter[str] = Counter()
    for batch in read_affectnet(path, how, decode_image):  # type: ignore[arg-type]  # options of either set
        words.update(batch.left_out)
    return words


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    return write_affectnet(tmp_path, {"train_set": [0, 1, 2, 3, 4, 5, 6, 7, 8, 10], "val_set": [1, 7]})


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    write_png(tmp_path / "Manually_Annotated_Images" / "1" / "a.png", colour(1, side=40))
    lines = [HEADER, "1/a.png,10,5,20,30,0;0,1,.5,.5", "1/a.png,0,0,40,40,0;0,9,-2,-2", "1/a.png,30,30,40,40,0;0,6,0,0"]
    (tmp_path / "training.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_codes_are_the_published_emotions(sets: Path) -> None:
    items, _, _ = read_all(read_affectnet, sets, EIGHT)
    expected = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt", "happy", "contempt"]
    assert [item.emotion for item in items] == expected
    assert [item.part for item in items] == ["train_set"] * 8 + ["val_set"] * 2


def test_a_project_of_seven_classes_leaves_contempt_out_and_counts_it(sets: Path) -> None:
    items, _, _ = read_all(read_affectnet, sets, SEVEN)
    assert "contempt" not in {item.emotion for item in items}
    assert left_out(sets, SEVEN) == {"contempt": 2, "none (code 8)": 1, "no face (code 10)": 1}


def test_pictures_that_show_no_emotion_are_left_out_and_counted(sets: Path) -> None:
    assert left_out(sets, EIGHT) == {"none (code 8)": 1, "no face (code 10)": 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "missing annotations/3_exp.npy"),
        (b"rubbish", "annotations/3_exp.npy has no emotion code"),
        (b"", "annotations/3_exp.npy has no emotion code"),
    ],
    ids=["missing", "rubbish", "empty"],
)
def test_a_bad_annotation_is_told_and_the_others_stay(sets: Path, content: bytes | None, reason: str) -> None:
    path = sets / "train_set" / "annotations" / "3_exp.npy"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    items, _, failures = read_all(read_affectnet, sets, EIGHT)
    assert [(f.item, f.reason) for f in failures] == [("train_set/images/3.jpg", reason)]
    assert len(items) == 9


def test_a_code_outside_the_set_is_told(sets: Path) -> None:
    np.save(sets / "train_set" / "annotations" / "0_exp.npy", np.array("12"))
    assert read_all(read_affectnet, sets, EIGHT)[2][0].reason == "emotion code 12 is not 0..10"


def test_a_pickled_annotation_is_not_loaded(sets: Path) -> None:
    np.save(sets / "train_set" / "annotations" / "0_exp.npy", np.array({"code": 1}, object), allow_pickle=True)
    assert read_all(read_affectnet, sets, EIGHT)[2][0].reason == "annotations/0_exp.npy has no emotion code"


def test_the_csv_form_is_cut_to_the_face_box(tables: Path) -> None:
    items, images, _ = read_all(read_affectnet, tables, EIGHT)
    assert [(item.where, item.emotion) for item in items] == [("training.csv:2", "happy"), ("training.csv:4", "anger")]
    np.testing.assert_array_equal(images[0], colour(1, side=40)[5:35, 10:30])
    # A box that leaves the picture is cut at its edge.
    np.testing.assert_array_equal(images[1], colour(1, side=40)[30:, 30:])
    assert left_out(tables, EIGHT) == {"uncertain (code 9)": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1/a.png,a,5,20,30,0;0,1,0,0", "could not convert string to float: 'a'"),
        ("../../x.png,1,5,20,30,0;0,1,0,0", "'../../x.png' lies outside the set's folder"),
        ("1/a.png,100,100,20,30,0;0,1,0,0", "the face box (100, 100, 20, 30) lies outside the image"),
        ("1/b.png,1,1,20,30,0;0,1,0,0", "cannot be read: No such file or directory"),
    ],
    ids=["no number", "climbing out", "box outside", "missing"],
)
def test_a_bad_row_of_the_csv_is_told(tables: Path, line: str, reason: str) -> None:
    (tables / "training.csv").write_text(f"{HEADER}\n{line}\n", encoding="utf-8")
    assert [(f.item, f.reason) for f in read_all(read_affectnet, tables, EIGHT)[2]] == [("training.csv:2", reason)]


def test_a_csv_with_other_columns_is_refused(tables: Path) -> None:
    (tables / "training.csv").write_text("a,b\n", encoding="utf-8")
    with pytest.raises(InputError, match="missing column subDirectory_filePath, face_x"):
        read_all(read_affectnet, tables, EIGHT)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no AffectNet data found in"):
        read_all(read_affectnet, tmp_path, EIGHT)


def test_a_quote_that_is_never_closed_is_told(tables: Path) -> None:
    (tables / "training.csv").write_text(f'{HEADER}\n"1/a.png' + ",1" * 70_000 + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"training\.csv: cannot be parsed as CSV: field larger than field limit"):
        read_all(read_affectnet, tables, EIGHT)
