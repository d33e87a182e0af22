from pathlib import Path

import numpy as np
import pytest

from fercli.sources.items import SourceItem
from fercli.sources.storage import PictureStore, storing
from fercli.vision.images import read_image, write_png
from tests.sources.trees import colour, grey


def item(row: int, file: Path | None = None) -> SourceItem:
    return SourceItem(row, f"row {row}", "happy", "", file=file)


def test_pictures_of_one_size_lie_in_one_pack(tmp_path: Path) -> None:
    with storing(tmp_path, "fer2013") as store:
        for row in range(3):
            store.add(item(row), grey(row))
        places = store.move_to(tmp_path, "fer2013")
    assert places == ["fer2013.npy#0", "fer2013.npy#1", "fer2013.npy#2"]
    np.testing.assert_array_equal(np.load(tmp_path / "fer2013.npy"), [grey(0), grey(1), grey(2)])


def test_pictures_of_two_sizes_lie_in_files(tmp_path: Path) -> None:
    images = [colour(0), colour(1), colour(2, side=30)]
    with storing(tmp_path, "mine") as store:
        for row, image in enumerate(images):
            store.add(item(row + 999), image)
        places = store.move_to(tmp_path, "mine")
    assert places == ["mine/000/000999.png", "mine/001/001000.png", "mine/001/001001.png"]
    for place, image in zip(places, images, strict=True):
        np.testing.assert_array_equal(read_image(tmp_path / place), image)
    assert not (tmp_path / "mine.npy").exists()


def test_a_picture_that_has_a_file_is_copied_byte_for_byte(tmp_path: Path) -> None:
    write_png(tmp_path / "a.PNG.png", colour(0))
    with storing(tmp_path / "faces", "mine") as store:
        store.add(item(0, tmp_path / "a.PNG.png"), colour(0))
        store.add(item(1), colour(1, side=30))
        places = store.move_to(tmp_path / "faces", "mine")
    assert (tmp_path / "faces" / places[0]).read_bytes() == (tmp_path / "a.PNG.png").read_bytes()


def test_too_many_bytes_for_a_pack_lie_in_files(tmp_path: Path) -> None:
    store = PictureStore(tmp_path / "work", max_pack_bytes=2 * 48 * 48)
    for row in range(3):
        store.add(item(row), grey(row))
    places = store.move_to(tmp_path, "mine")
    np.testing.assert_array_equal(read_image(tmp_path / places[2])[:, :, 0], grey(2))


@pytest.mark.parametrize("second_side", [48, 50], ids=["pack", "files"])
def test_a_second_time_replaces_the_first_whatever_its_form(tmp_path: Path, second_side: int) -> None:
    for sides in ((48, 50), (48, 48), (48, second_side)):
        with storing(tmp_path, "mine") as store:
            for row, side in enumerate(sides):
                store.add(item(row), grey(row, side=side))
            places = store.move_to(tmp_path, "mine")
    assert (tmp_path / "mine.npy").exists() == (second_side == 48)
    assert (tmp_path / "mine").exists() == (second_side == 50)
    assert all((tmp_path / place.partition("#")[0]).exists() for place in places)


def test_nothing_stays_of_a_set_that_was_not_finished(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), storing(tmp_path, "mine") as store:  # noqa: PT012  the store opens first
        store.add(item(0), grey(0))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
