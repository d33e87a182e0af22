from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError
from fercli.sources.folder import folder_roles, read_folder
from fercli.vision.images import decode_image
from tests.sources.trees import colour, options, read_all, write_class_folders

HOW = options("scfed")


def test_the_folder_of_a_picture_is_its_class(tmp_path: Path) -> None:
    write_class_folders(tmp_path, ["happy", "Bored"])
    items, images, _ = read_all(read_folder, tmp_path, HOW)
    assert [(item.where, item.emotion, item.part) for item in items] == [
        ("Bored/0.png", "bored", ""),
        ("Bored/1.png", "bored", ""),
        ("happy/0.png", "happy", ""),
        ("happy/1.png", "happy", ""),
    ]
    np.testing.assert_array_equal(images[2], colour(0))


@pytest.mark.parametrize(
    ("name", "part"), [("train", "train"), ("Valid", "val"), ("validation", "val"), ("test", "test")]
)
def test_folders_of_parts_are_respected(tmp_path: Path, name: str, part: str) -> None:
    write_class_folders(tmp_path, [f"{name}/happy"])
    items, _, _ = read_all(read_folder, tmp_path, HOW)
    assert {(item.part, item.emotion) for item in items} == {(part, "happy")}
    assert folder_roles({part})[part] == part


def test_pictures_deeper_in_a_class_folder_belong_to_it(tmp_path: Path) -> None:
    write_class_folders(tmp_path, ["tired/camera-1"], per_folder=1)
    assert read_all(read_folder, tmp_path, HOW)[0][0].emotion == "tired"


def test_files_of_a_foreign_type_are_counted_and_hidden_ones_not_looked_at(tmp_path: Path) -> None:
    write_class_folders(tmp_path, ["happy", "__MACOSX/happy", ".cache/happy"], per_folder=1)
    (tmp_path / "happy" / "notes.txt").write_text("x", encoding="utf-8")
    (tmp_path / "happy" / ".DS_Store").write_text("x", encoding="utf-8")
    batches = list(read_folder(tmp_path, HOW, decode_image))
    assert sum(batch.num_foreign for batch in batches) == 1
    assert sum(len(batch.items) for batch in batches) == 1


def test_a_damaged_picture_is_told_and_the_others_stay(tmp_path: Path) -> None:
    write_class_folders(tmp_path, ["happy"])
    (tmp_path / "happy" / "0.png").write_bytes(b"no picture")
    items, _, failures = read_all(read_folder, tmp_path, HOW)
    assert [item.where for item in items] == ["happy/1.png"]
    assert [failure.item for failure in failures] == ["happy/0.png"]


def test_a_class_outside_the_project_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    write_class_folders(tmp_path, ["happy", "borde"])
    with pytest.raises(InputError, match="class folder 'borde' is not a class of this project") as caught:
        read_all(read_folder, tmp_path, HOW)
    assert "Did you mean 'bored'?" in caught.value.hint


def test_pictures_outside_class_folders_are_refused(tmp_path: Path) -> None:
    write_class_folders(tmp_path, ["."])
    with pytest.raises(InputError, match="no images in class folders found in"):
        read_all(read_folder, tmp_path, HOW)


@pytest.mark.parametrize("is_file", [True, False], ids=["file", "nothing"])
def test_what_is_no_folder_is_refused(tmp_path: Path, is_file: bool) -> None:
    path = tmp_path / "set"
    if is_file:
        path.write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="is a file; a set" if is_file else "does not exist; a set"):
        read_all(read_folder, path, HOW)
