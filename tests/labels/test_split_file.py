from pathlib import Path

import pytest

from fercli.core.errors import InputError
from fercli.core.rows import Face, SplitRow
from fercli.labels.matching import FaceIndex
from fercli.labels.split_file import read_split_file

FACES = FaceIndex([Face(f"v/f00000{place}-0", "", "v", path=f"faces/v/f00000{place}-0.png") for place in range(3)])


def written(folder: Path, text: str) -> Path:
    path = folder / "split.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_words_of_other_data_sets_are_known(tmp_path: Path) -> None:
    text = "Image;Usage\nf000002-0.png;Training\nfaces/v/f000000-0.png;validation\nv/f000001-0;TEST\nx.png;test\n"
    read = read_split_file(written(tmp_path, text), FACES)
    assert read.rows == [
        SplitRow("v/f000000-0", "val"),
        SplitRow("v/f000001-0", "test"),
        SplitRow("v/f000002-0", "train"),
    ]
    assert read.unmatched == ["x.png"]


def test_folds_are_read(tmp_path: Path) -> None:
    read = read_split_file(written(tmp_path, "face_id,split,fold\nv/f000000-0,train,0\nv/f000000-0,test,1\n"), FACES)
    assert read.rows == [SplitRow("v/f000000-0", "train", 0), SplitRow("v/f000000-0", "test", 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("face_id,x\nv/f000000-0,train\n", "missing column: set"),
        ("x,split\nv/f000000-0,train\n", "missing column: face"),
        ("face_id,split\nv/f000000-0,trian\n", r"csv:2: unknown set 'trian'"),
        ("face_id,split,fold\nv/f000000-0,train,a\n", r"csv:2: invalid fold number 'a'"),
        ("face_id,split\nv/f000000-0,train\nv/f000000-0,test\n", r"csv:3: 'v/f000000-0' is in train and in test"),
        ("face_id,split\nx,train\n", "none of its 1 item matches a face"),
    ],
)
def test_file_that_is_no_split_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_split_file(written(tmp_path, text), FACES)
