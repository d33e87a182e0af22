import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import ProjectError
from fercli.sources.packs import PackWriter
from tests.sources.trees import colour, grey


def test_numpy_reads_what_was_packed(tmp_path: Path) -> None:
    with PackWriter(tmp_path / "a.npy") as pack:
        rows = [pack.append(grey(number)) for number in range(12)]
    assert rows == list(range(12))
    loaded = np.load(tmp_path / "a.npy", allow_pickle=False)
    np.testing.assert_array_equal(loaded, [grey(number) for number in range(12)])


def test_colour_pictures_are_packed_too(tmp_path: Path) -> None:
    with PackWriter(tmp_path / "a.npy") as pack:
        pack.append(colour(1))
    assert np.load(tmp_path / "a.npy", mmap_mode="r").shape == (1, 20, 20, 3)


def test_a_picture_of_another_shape_does_not_fit(tmp_path: Path) -> None:
    with PackWriter(tmp_path / "a.npy") as pack:
        pack.append(grey(0))
        assert not pack.fits(grey(0, side=50))
        with pytest.raises(ValueError, match=r"a picture of shape \(50, 50\) does not fit a pack of \(48, 48\)"):
            pack.append(grey(0, side=50))


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path) -> None:
    image = grey(0)
    with PackWriter(tmp_path / "a.npy") as pack:
        tracemalloc.start()
        for _ in range(2000):
            pack.append(image)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (tmp_path / "a.npy").stat().st_size > 4_000_000
    assert peak < 1_000_000


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ProjectError, match="could not write"):
        PackWriter(tmp_path / "file" / "a.npy").append(grey(0))
