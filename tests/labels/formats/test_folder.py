from pathlib import Path

import pytest

from fercli.core.errors import InputError
from fercli.labels.formats.folder import read_folder
from fercli.labels.formats.rawvotes import RawVote


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def test_folders_annotator_class_file(tmp_path: Path) -> None:
    raw = read_folder(tree(tmp_path, "anna/happy/a.png", "anna/sad/b.JPG", "ben/sad/a.png"))
    expected = [RawVote("a.png", "anna", "happy"), RawVote("b.JPG", "anna", "sad"), RawVote("a.png", "ben", "sad")]
    assert raw.votes == expected


def test_folders_class_file_need_an_annotator(tmp_path: Path) -> None:
    path = tree(tmp_path, "happy/a.png")
    with pytest.raises(InputError, match="unknown annotator") as caught:
        read_folder(path)
    assert "--annotator" in caught.value.hint
    assert read_folder(path, annotator="anna").votes == [RawVote("a.png", "anna", "happy")]


def test_picture_in_two_classes_is_a_conflict_and_other_files_are_counted(tmp_path: Path) -> None:
    raw = read_folder(tree(tmp_path, "anna/happy/a.png", "anna/sad/a.png", "anna/sad/notes.txt", "anna/.DS_Store"))
    assert raw.votes == []
    assert raw.conflicts == ["a.png (anna): happy, sad"]
    assert "skipped 1 non-image file" in raw.notes[0]


@pytest.mark.parametrize(
    ("names", "message"),
    [((), "no images found"), (("a.png",), "different depths"), (("x/a.png", "x/y/a.png"), "different depths")],
    ids=["empty", "no classes", "mixed"],
)
def test_other_trees_are_refused(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_folder(tree(tmp_path, *names))
