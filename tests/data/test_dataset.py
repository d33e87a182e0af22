import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fercli.core.errors import InputError, MediaError
from fercli.core.progress import SilentProgress
from fercli.data.batches import RamCrops, StreamedCrops, _ignore_signals
from fercli.data.dataset import load_crops, make_reader, prepare_crop
from fercli.data.transforms import InputFormat

GREY = InputFormat(8, 1, (0.0,), (1.0,))
RGB = InputFormat(8, 3, (0.5,) * 3, (0.5,) * 3)


def write_pack(root: Path, num: int = 5, side: int = 6) -> tuple[np.ndarray, list[str]]:
    pack = np.random.default_rng(0).integers(0, 256, (num, side, side), dtype=np.uint8)
    np.save(root / "pack.npy", pack)
    return pack, [f"pack.npy#{row}" for row in range(num)]


def write_png(root: Path, name: str, rgb: np.ndarray) -> str:
    ok, data = cv2.imencode(".png", rgb[:, :, ::-1])
    assert ok
    (root / name).write_bytes(data.tobytes())
    return name


def test_packed_rows_come_back_in_the_asked_order(tmp_path: Path) -> None:
    pack, paths = write_pack(tmp_path)
    crops = load_crops(make_reader(tmp_path, paths, GREY))
    assert isinstance(crops, RamCrops)
    (batch,) = crops.batches([[3, 1]])
    assert np.array_equal(batch.numpy(), pack[[3, 1]][:, None])


def test_pictures_keep_their_colours_and_order_of_channels(tmp_path: Path) -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    crops = load_crops(make_reader(tmp_path, [write_png(tmp_path, "a.png", red)], RGB))
    (batch,) = crops.batches([[0]])
    assert batch[0, :, 4, 4].tolist() == [200, 0, 0]


def test_grey_pack_is_stored_once_even_for_an_rgb_network(tmp_path: Path) -> None:
    _, paths = write_pack(tmp_path)
    reader = make_reader(tmp_path, paths, RGB)
    assert (reader.channels, reader.side) == (1, 6)


def test_large_crops_are_stored_at_the_networks_size(tmp_path: Path) -> None:
    image = np.full((20, 20, 3), 77, np.uint8)
    reader = make_reader(tmp_path, [write_png(tmp_path, "a.png", image)], GREY)
    assert (reader.channels, reader.side) == (1, 8)
    assert (reader.read(0) == 77).all()


def test_shrinking_averages_areas() -> None:
    image = np.kron(np.arange(64, dtype=np.uint8).reshape(8, 8), np.ones((2, 2), np.uint8))
    assert np.array_equal(prepare_crop(image, GREY, 1, 8)[0], np.arange(64).reshape(8, 8))


def test_equalised_colours_keep_their_place() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[2, 5, 1] = 9  # the only bright pixel, in green
    form = InputFormat(8, 3, (0.0,) * 3, (1.0,) * 3, is_equalised=True)
    assert np.argwhere(prepare_crop(image, form, 3, 8) == 255).tolist() == [[1, 2, 5]]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_stream_gives_what_memory_gives_epoch_after_epoch(tmp_path: Path, num_workers: int) -> None:
    _, paths = write_pack(tmp_path)
    reader = make_reader(tmp_path, paths, GREY)
    stream = load_crops(reader, ram_limit_bytes=10, num_workers=num_workers)
    assert isinstance(stream, StreamedCrops)
    memory = load_crops(reader)
    for orders in ([[4, 0], [2]], [[1, 3, 2]]):
        for streamed, held in zip(stream.batches(orders), memory.batches(orders), strict=True):
            assert torch.equal(streamed, held)


def test_unreadable_crops_are_listed_and_the_others_kept(tmp_path: Path) -> None:
    good = write_png(tmp_path, "a.png", np.full((8, 8, 3), 5, np.uint8))
    (tmp_path / "b.png").write_bytes(b"no picture")
    reader = make_reader(tmp_path, [good, "b.png", "gone.png"], GREY)
    crops = load_crops(reader)
    assert list(crops.failures) == [1, 2]
    assert isinstance(crops, RamCrops)
    assert (crops.images[0] == 5).all()
    # A stream is read through beforehand, and once only.
    assert list(load_crops(reader, ram_limit_bytes=10, num_workers=0).failures) == [1, 2]
    assert not load_crops(reader, ram_limit_bytes=10, num_workers=0, is_checked=True).failures


def test_missing_row_and_damaged_pack_say_so(tmp_path: Path) -> None:
    write_pack(tmp_path)
    with pytest.raises(InputError, match=r"'pack.npy' has no row 9"):
        make_reader(tmp_path, ["pack.npy#9"], GREY).read(0)
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match="cannot be read"):
        make_reader(tmp_path, ["bad.npy#0"], GREY).read(0)
    np.save(tmp_path / "float.npy", np.zeros((2, 4, 4)))
    with pytest.raises(InputError, match="hold no pictures"):
        make_reader(tmp_path, ["float.npy#0"], GREY).read(0)


def test_missing_picture_is_a_media_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError):
        make_reader(tmp_path, ["gone.png"], GREY).read(0)


def test_a_crop_is_flat_if_equalising_shows_nothing(tmp_path: Path) -> None:
    # Of variance 4 before, but black and white afterwards: the notebook keeps it.
    faint = np.indices((8, 8)).sum(0) % 2 * 4 + 3
    np.save(tmp_path / "pack.npy", np.stack([np.full((8, 8), 3), faint]).astype(np.uint8))
    reader = make_reader(tmp_path, ["pack.npy#0", "pack.npy#1"], GREY)
    assert [reader.is_flat(place) for place in (0, 1)] == [True, False]


def test_reader_goes_to_another_process_without_its_open_files(tmp_path: Path) -> None:
    pack, paths = write_pack(tmp_path)
    reader = make_reader(tmp_path, paths, GREY)
    reader.read(0)
    copy = pickle.loads(pickle.dumps(reader))
    assert copy._files._packs == {}
    assert np.array_equal(copy.read(2)[0], pack[2] if copy.side == 6 else copy.read(2)[0])


def test_workers_outlive_the_signals_of_their_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: dict[int, object] = {}
    monkeypatch.setattr(signal, "signal", lambda number, handler: set_to.update({number: handler}))
    _ignore_signals(0)
    assert set_to == {signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_IGN}


LEFT_OPEN = """
import sys
from pathlib import Path
from fercli.data.batches import StreamedCrops
from fercli.data.dataset import make_reader
from tests.data.test_dataset import GREY

if __name__ == "__main__":
    crops = StreamedCrops(make_reader(Path(sys.argv[1]), ["pack.npy#0", "pack.npy#1"], GREY), 1)
    print([len(batch) for batch in crops.batches([[0, 1]])])
"""


def test_python_ends_although_a_stream_is_still_open(tmp_path: Path) -> None:
    write_pack(tmp_path)
    (tmp_path / "left_open.py").write_text(LEFT_OPEN, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "left_open.py"), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert (ended.returncode, ended.stdout.strip()) == (0, "[2]"), ended.stderr


def test_closed_stream_can_be_read_again(tmp_path: Path) -> None:
    pack, paths = write_pack(tmp_path)
    crops = StreamedCrops(make_reader(tmp_path, paths, GREY), 1)
    for _ in range(2):
        (batch,) = crops.batches([[1, 2]])
        crops.close()
        assert multiprocessing.active_children() == []
    assert np.array_equal(batch[:, 0].numpy(), pack[[1, 2]])


class Counter(SilentProgress):
    """Counts what is reported done."""

    def __init__(self) -> None:
        self.num_done = 0

    def advance(self, num_items: int = 1, **fields: str) -> None:
        self.num_done += num_items


def test_many_crops_are_read_in_few_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack, paths = write_pack(tmp_path, num=200)
    tasks: list[object] = []
    right = ThreadPoolExecutor.submit
    monkeypatch.setattr(
        ThreadPoolExecutor, "submit", lambda *words, **more: tasks.append(words) or right(*words, **more)
    )
    counter = Counter()
    crops = load_crops(make_reader(tmp_path, paths, GREY), progress=counter)
    assert isinstance(crops, RamCrops)
    assert np.array_equal(crops.images[:, 0].numpy(), pack)
    assert counter.num_done == 200
    assert len(tasks) < 10


def test_a_single_large_crop_among_many_keeps_its_size(tmp_path: Path) -> None:
    paths = [f"{place:03d}.png" for place in range(200)]
    for path in paths:
        write_png(tmp_path, path, np.zeros((4, 4, 3), np.uint8))
    write_png(tmp_path, paths[100], np.zeros((7, 7, 3), np.uint8))
    assert make_reader(tmp_path, paths, RGB).side == 7
