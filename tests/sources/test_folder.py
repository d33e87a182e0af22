from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError
from fercli.sources.folder import folder_roles, read_folder
from fercli.sources.items import SourceOptions
from fercli.vision.images import decode_image, write_png
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


def tree(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        write_png(root / name, colour(number))
    return root


def told(root: Path, how: SourceOptions) -> list[tuple[str, str, str]]:
    items, _, _ = read_all(read_folder, root, how)
    return [(item.origin, item.emotion, item.subject) for item in items]


@pytest.mark.parametrize("names", [("calm/Ann/1.png", "jolly/Ann/2.png"), ("Ann/calm/1.png", "Ann/jolly/2.png")])
def test_folders_tell_subjects_in_either_order(tmp_path: Path, names: tuple[str, str]) -> None:
    found = told(tree(tmp_path, *names), options("sferd", subject_from="folder"))
    assert [(emotion, subject) for _, emotion, subject in found] == [("calm", "Ann"), ("jolly", "Ann")]


def test_folders_that_could_be_either_or_neither_are_refused(tmp_path: Path) -> None:
    how = options("sferd", subject_from="folder")
    with pytest.raises(InputError, match="are both classes"):
        told(tree(tmp_path / "a", "calm/jolly/1.png"), how)
    with pytest.raises(InputError, match="are neither of them classes"):
        told(tree(tmp_path / "b", "x/y/1.png"), how)
    with pytest.raises(InputError, match="none of them can be a subject"):
        told(tree(tmp_path / "c", "calm/1.png"), how)


def test_names_tell_subject_and_class_by_one_pattern(tmp_path: Path) -> None:
    how = SourceOptions(("angry", "neutral"), {"AN": "angry", "NE": "neutral"},
                        subject_from=r"(?P<subject>[A-Z]{2})\.(?P<class>[A-Z]{2})")  # fmt: skip
    found = told(tree(tmp_path, "KA.AN1.39.png", "KA.NE2.27.png"), how)
    assert found == [("KA.AN1.39.png", "angry", "KA"), ("KA.NE2.27.png", "neutral", "KA")]


def test_class_folder_in_the_other_form_of_its_accent_is_the_class(tmp_path: Path) -> None:
    found = told(tree(tmp_path, "ge\u0301ne\u0301/1.png", "calme/2.png"), SourceOptions(("g\u00e9n\u00e9", "calme")))
    assert {emotion for _, emotion, _ in found} == {"g\u00e9n\u00e9", "calme"}
