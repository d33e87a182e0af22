"""Read crops from disk for batches: all into memory when they are small, otherwise by worker processes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8

from fercli.core.errors import FerError, MediaError
from fercli.core.progress import SILENT, Progress
from fercli.data.batches import RamCrops, SizedCrops, StreamedCrops
from fercli.data.crops import CropFiles
from fercli.data.equalise import equalise, is_flat
from fercli.data.transforms import InputFormat

# 28,709 FER2013 faces take 66 MB, 100,000 RGB crops of 112 pixels 3.8 GB: those are streamed.
RAM_LIMIT_BYTES = 2 * 1024**3
_HEADER_THREADS = 4
# Crops that a thread reads between two looks at the progress.
_PART = 64


@dataclass
class CropReader:
    """Reads crops as "channels side side", grey or RGB, never larger than the network's input.

    `path` is a picture or "pack.npy#row", a row of an array "row height width" (grey) or "row height width 3" (RGB).
    """

    root: Path
    paths: tuple[str, ...]
    form: InputFormat
    channels: int
    side: int
    _files: CropFiles = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._files = CropFiles(self.root)

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, place: int) -> UInt8[np.ndarray, "{self.channels} {self.side} {self.side}"]:
        """The crop at `place`.

        Raises:
            CropError: it is missing or damaged, or its packed file is.
            TableError: its path leads out of the project.
        """
        return prepare_crop(self.read_raw(place), self.form, self.channels, self.side)

    def read_raw(self, place: int) -> UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width 3"]:
        """The crop as it is stored."""
        return self._files.read(self.paths[place])

    def shape(self, place: int) -> tuple[int, ...]:
        """Height, width and, for RGB, 3; raises as `read`."""
        return self._files.shape(self.paths[place])

    def is_flat(self, place: int) -> bool:
        """Whether the crop shows next to nothing even when it is equalised (`equalise.MIN_VARIANCE`)."""
        return is_flat(equalise(_to_grey(self.read_raw(place))))


def make_reader(root: Path, paths: Sequence[str], form: InputFormat) -> CropReader:
    """A reader that stores grey where grey is enough, at the crops' own size up to the network's.

    The size is that of the largest crop, by the headers of all; a crop of another size is resized to it.
    """
    reader = CropReader(root, tuple(paths), form, form.channels, form.size)
    shapes = {shape for shape in _shapes(reader) if shape is not None}
    if not shapes:
        return reader
    reader.side = max(_own_side(shape, form) for shape in shapes)
    reader.channels = 1 if form.channels == 1 or all(len(shape) == 2 for shape in shapes) else 3
    return reader


def places_by_side(root: Path, paths: Sequence[str], form: InputFormat) -> dict[int, list[int]]:
    """The places of crops by the side at which each is stored if it is alone: no crop's size decides on another's."""
    found: dict[int, list[int]] = {}
    for place, shape in enumerate(_shapes(CropReader(root, tuple(paths), form, form.channels, form.size))):
        # What cannot be read is reported by whoever reads it.
        found.setdefault(form.size if shape is None else _own_side(shape, form), []).append(place)
    return found


def prepare_alone(
    image: UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width 3"], form: InputFormat
) -> UInt8[np.ndarray, "channels side side"]:
    """As `prepare_crop`, at the crop's own size up to the network's."""
    return prepare_crop(image, form, form.channels, _own_side(image.shape, form))


def prepare_crop(
    image: UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width 3"],
    form: InputFormat,
    channels: int,
    side: int,
) -> UInt8[np.ndarray, "{channels} {side} {side}"]:
    """A stored crop as "channels side side": shrunk by area, grown bilinearly, equalised where the format says so."""
    picture = _to_grey(image) if channels == 1 else _to_rgb(image)
    if picture.shape[:2] != (side, side):
        rule = cv2.INTER_AREA if min(picture.shape[:2]) >= side else cv2.INTER_LINEAR
        picture = np.asarray(cv2.resize(picture, (side, side), interpolation=rule), dtype=np.uint8)
    if form.is_equalised:
        planes = cv2.split(picture)
        picture = equalise(picture) if channels == 1 else np.dstack([equalise(np.asarray(plane)) for plane in planes])
    return np.ascontiguousarray(picture[None] if channels == 1 else picture.transpose(2, 0, 1))


def load_crops(
    reader: CropReader,
    *,
    ram_limit_bytes: int = RAM_LIMIT_BYTES,
    num_threads: int = 4,
    num_workers: int = 2,
    is_checked: bool = False,
    progress: Progress = SILENT,
) -> RamCrops | StreamedCrops:
    """All crops in memory if they fit into `ram_limit_bytes`, else a stream of them.

    A crop that cannot be read is black (in a stream, an error) and listed in `failures`; leave it out. A stream is read
    through once to find them, unless it `is_checked` already: in the midst of a training it would be too late.
    """
    num = len(reader.paths)
    is_streamed = num * reader.channels * reader.side**2 > ram_limit_bytes
    if is_streamed and is_checked:
        return StreamedCrops(reader, num_workers)
    images = torch.zeros(0 if is_streamed else num, reader.channels, reader.side, reader.side, dtype=torch.uint8)
    failures: dict[int, FerError] = {}

    def load(place: int) -> None:
        try:
            crop = reader.read(place)
            if not is_streamed:
                images[place] = torch.from_numpy(crop)
        except MediaError as error:
            failures[place] = error

    progress.start("checking crops" if is_streamed else "reading crops", num)
    _for_each(load, num, num_threads, progress)
    found = dict(sorted(failures.items()))
    return StreamedCrops(reader, num_workers, found) if is_streamed else RamCrops(images, found)


def load_sized_crops(
    root: Path,
    paths: Sequence[str],
    form: InputFormat,
    *,
    ram_limit_bytes: int = RAM_LIMIT_BYTES,
    num_workers: int = 2,
    is_checked: bool = False,
    progress: Progress = SILENT,
) -> RamCrops | StreamedCrops | SizedCrops:
    """As `load_crops`, but each crop at its own size up to the network's, so that none decides on another's."""
    places: list[Sequence[int]] = [*places_by_side(root, paths, form).values()]
    if len(places) < 2:
        places = [range(len(paths))]
    readers = [make_reader(root, [paths[place] for place in part], form) for part in places]
    size = sum(len(reader) * reader.channels * reader.side**2 for reader in readers)
    limit = ram_limit_bytes if size <= ram_limit_bytes else -1
    parts = [
        load_crops(reader, ram_limit_bytes=limit, num_workers=num_workers, is_checked=is_checked, progress=progress)
        for reader in readers
    ]
    if len(parts) == 1:
        return parts[0]
    failures = {
        part[row]: error for part, one in zip(places, parts, strict=True) for row, error in one.failures.items()
    }
    return SizedCrops(parts, places, dict(sorted(failures.items())))


def _for_each(load: Callable[[int], None], num: int, num_threads: int, progress: Progress) -> None:
    """Call `load` with every number below `num`, in several threads."""

    def load_part(start: int) -> int:
        part = range(start, min(start + _PART, num))
        for place in part:
            load(place)
        return len(part)

    # A task for each crop would take a kilobyte of memory for each.
    with ThreadPoolExecutor(num_threads) as pool:
        for num_loaded in pool.map(load_part, range(0, num, _PART)):
            progress.advance(num_loaded)


def _own_side(shape: Sequence[int], form: InputFormat) -> int:
    return min(form.size, max(shape[:2]))


def _shapes(reader: CropReader) -> list[tuple[int, ...] | None]:
    """What `_shape` says of every crop."""

    def look(start: int) -> list[tuple[int, ...] | None]:
        return [_shape(reader, place) for place in range(start, min(start + _PART, len(reader.paths)))]

    with ThreadPoolExecutor(_HEADER_THREADS) as pool:
        return [shape for part in pool.map(look, range(0, len(reader.paths), _PART)) for shape in part]


def _shape(reader: CropReader, place: int) -> tuple[int, ...] | None:
    """The shape of a crop; None for one that cannot be read, which loading reports."""
    try:
        return reader.shape(place)
    except FerError:
        return None


def _to_grey(image: UInt8[np.ndarray, "..."]) -> UInt8[np.ndarray, "height width"]:
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _to_rgb(image: UInt8[np.ndarray, "..."]) -> UInt8[np.ndarray, "height width 3"]:
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
