import os
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError, MediaError
from fercli.sources.items import SourceItem
from fercli.sources.pictures import find_pictures, folder_here, read_file, read_pictures
from fercli.vision.images import decode_image, write_png
from tests.sources.trees import colour


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def items(folder: Path, num: int) -> list[SourceItem]:
    """Pictures `0.png`, `1.png`... and their items."""
    for row in range(num):
        write_png(folder / f"{row}.png", colour(row))
    return [SourceItem(row, f"{row}.png", "happy", "", file=folder / f"{row}.png") for row in range(num)]


def test_pictures_are_found_below_and_sorted_by_their_path(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.png", "b/10.JPG", "a.png", "b-c/1.jpeg")
    found = find_pictures(tmp_path)
    # By folder, then name: "b" before "b-c", which a sort of the texts would turn round.
    assert [file.relative_to(tmp_path).as_posix() for file in found.files] == [
        "a.png",
        "b/10.JPG",
        "b/2.png",
        "b-c/1.jpeg",
    ]


def test_other_files_are_counted_and_hidden_ones_are_not(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "notes.txt", "a/labels.csv", ".hidden.png", ".git/b.png", "__MACOSX/c.png")
    found = find_pictures(tmp_path)
    assert ([file.name for file in found.files], found.num_foreign) == (["a.png"], 2)


def test_bad_picture_is_set_aside_and_the_others_come_in_order(tmp_path: Path) -> None:
    rows = items(tmp_path, 3)
    (tmp_path / "1.png").write_bytes(b"no picture")
    (batch,) = read_pictures(rows, decode_image, num_total=3)
    assert [item.row for item in batch.items] == [0, 2]
    assert np.array_equal(batch.images[1], colour(2))
    assert [failure.item for failure in batch.failures] == ["1.png"]
    assert batch.num_total == 3


@pytest.mark.parametrize(("num", "sizes"), [(63, [63]), (64, [64, 0]), (65, [64, 1]), (0, [0])])
def test_batches_hold_64(num: int, sizes: list[int], tmp_path: Path) -> None:
    batches = list(read_pictures(items(tmp_path, num), decode_image))
    assert [len(batch.items) for batch in batches] == sizes
    assert [item.row for batch in batches for item in batch.items] == list(range(num))


def test_a_failure_is_told_once(tmp_path: Path) -> None:
    rows = items(tmp_path, 66)
    (tmp_path / "0.png").unlink()
    batches = list(read_pictures(rows, decode_image))
    assert [len(batch.failures) for batch in batches] == [1, 0]


def test_grey_set_gives_planes(tmp_path: Path) -> None:
    (batch,) = read_pictures(items(tmp_path, 1), decode_image, is_grey=True)
    assert np.array_equal(batch.images[0], colour(0)[:, :, 1])


def test_missing_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=f"cannot be read: {os.strerror(2)}"):
        read_file(tmp_path / "gone.png")


def test_folder_is_given_back_and_what_is_none_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.zip")
    assert folder_here(tmp_path, "RAF-DB", "x/") == tmp_path
    with pytest.raises(InputError, match=r"a\.zip' is a file; RAF-DB is a folder") as caught:
        folder_here(tmp_path / "a.zip", "RAF-DB", "x/")
    assert caught.value.hint == "Expected: x/"
    with pytest.raises(InputError, match="gone' does not exist"):
        folder_here(tmp_path / "gone", "RAF-DB", "x/")
