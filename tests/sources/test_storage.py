from pathlib import Path

import numpy as np

from fercli.sources.items import SourceItem
from fercli.sources.storage import PictureStore
from fercli.vision.images import read_image, write_png
from tests.sources.trees import colour, grey


def item(row: int, file: Path | None = None) -> SourceItem:
    return SourceItem(row, f"row {row}", "happy", "", file=file)


def test_pictures_of_one_size_lie_in_one_pack(tmp_path: Path) -> None:
    store = PictureStore(tmp_path, "fer2013")
    for row in range(3):
        store.add(item(row), grey(row))
    places = store.finish()
    assert places == ["fer2013.npy#0", "fer2013.npy#1", "fer2013.npy#2"]
    np.testing.assert_array_equal(np.load(tmp_path / "fer2013.npy"), [grey(0), grey(1), grey(2)])


def test_pictures_of_two_sizes_lie_in_files(tmp_path: Path) -> None:
    images = [colour(0), colour(1), colour(2, side=30)]
    store = PictureStore(tmp_path, "mine")
    for row, image in enumerate(images):
        store.add(item(row + 999), image)
    places = store.finish()
    assert places == ["mine/000/000999.png", "mine/001/001000.png", "mine/001/001001.png"]
    for place, image in zip(places, images, strict=True):
        np.testing.assert_array_equal(read_image(tmp_path / place), image)
    assert not (tmp_path / "mine.npy").exists()


def test_a_picture_that_has_a_file_is_copied_byte_for_byte(tmp_path: Path) -> None:
    write_png(tmp_path / "a.PNG.png", colour(0))
    store = PictureStore(tmp_path / "faces", "mine")
    store.add(item(0, tmp_path / "a.PNG.png"), colour(0))
    store.add(item(1), colour(1, side=30))
    places = store.finish()
    assert (tmp_path / "faces" / places[0]).read_bytes() == (tmp_path / "a.PNG.png").read_bytes()


def test_too_many_bytes_for_a_pack_lie_in_files(tmp_path: Path) -> None:
    store = PictureStore(tmp_path, "mine", max_pack_bytes=2 * 48 * 48)
    for row in range(3):
        store.add(item(row), grey(row))
    places = store.finish()
    np.testing.assert_array_equal(read_image(tmp_path / places[2])[:, :, 0], grey(2))


def test_an_abandoned_pack_can_be_deleted(tmp_path: Path) -> None:
    store = PictureStore(tmp_path, "mine")
    store.add(item(0), grey(0))
    store.abandon()
    for path in tmp_path.iterdir():
        path.unlink()
    assert list(tmp_path.iterdir()) == []
