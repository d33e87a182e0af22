"""Serve crops as uint8 batches for a network: all held in memory, or streamed by worker processes.

Needs torch and numpy alone, so a training runs where no image can be decoded; crops on disk are data/dataset.py's.
"""

import atexit
import itertools
import signal
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fercli.core.errors import FerError
from fercli.core.processors import count_processors


@runtime_checkable
class CropSource(Protocol):
    """Where batches of crops come from, by the crops' places in the samples."""

    def __len__(self) -> int:
        """Number of crops."""

    def batches(self, orders: Sequence[Sequence[int]]) -> Iterator[UInt8[Tensor, "batch channels side side"]]:
        """One batch for each list of places, in that order."""


@runtime_checkable
class Reader(Protocol):
    """What reads one crop after the other, such as `data.dataset.CropReader`; it goes to other processes by pickle."""

    def __len__(self) -> int:
        """Number of crops."""

    def read(self, place: int) -> UInt8[np.ndarray, "channels side side"]:
        """The crop at `place`."""


@dataclass
class RamCrops:
    """All crops as one uint8 tensor; `failures` are the places that could not be read, with the error."""

    images: UInt8[Tensor, "faces channels side side"]
    failures: dict[int, FerError] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, orders: Sequence[Sequence[int]]) -> Iterator[UInt8[Tensor, "batch channels side side"]]:
        """One batch for each list of places."""
        for order in orders:
            yield self.images[torch.as_tensor(order)]


@dataclass
class StreamedCrops:
    """Crops read while the network works, by `num_workers` processes (none: read in between)."""

    reader: Reader
    num_workers: int
    failures: dict[int, FerError] = field(default_factory=dict)
    _orders: list[list[int]] = field(default_factory=list, repr=False)
    _loader: "DataLoader[Tensor] | None" = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.reader)

    def batches(self, orders: Sequence[Sequence[int]]) -> Iterator[UInt8[Tensor, "batch channels side side"]]:
        """One batch for each list of places; the worker processes stay alive until `close`."""
        if self._loader is None:
            # More than there are processors would wait for each other; torch warns of it.
            num_workers = min(self.num_workers, count_processors())
            self._loader = DataLoader(
                _Crops(self.reader),
                batch_sampler=self._orders,
                num_workers=num_workers,
                # Forked workers would inherit locks that threads of the parent hold.
                multiprocessing_context="spawn" if num_workers else None,
                worker_init_fn=_ignore_signals,
                persistent_workers=num_workers > 0,
            )
            # Python waits at its end for processes that still live, and these ignore what it asks them to end by.
            atexit.register(_close, weakref.ref(self))
        self._orders[:] = [list(order) for order in orders]
        yield from self._loader

    def close(self) -> None:
        """End the worker processes; the next batch starts new ones."""
        loader, self._loader = self._loader, None
        workers = getattr(loader, "_iterator", None)  # torch has no public way to them
        if workers is not None:
            workers._shutdown_workers()


@dataclass
class SizedCrops:
    """Crops of several sizes, each kept at its own: one source for each size. A batch holds crops of one of them.

    Attributes:
        parts: the sources.
        places: of each part's crops, in its order, the places among all.
        failures: as of `RamCrops`, by the places among all.
    """

    parts: Sequence[RamCrops | StreamedCrops]
    places: Sequence[Sequence[int]]
    failures: dict[int, FerError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._home = {place: (number, row) for number, part in enumerate(self.places) for row, place in enumerate(part)}

    def __len__(self) -> int:
        return len(self._home)

    def batches(self, orders: Sequence[Sequence[int]]) -> Iterator[UInt8[Tensor, "batch channels side side"]]:
        """One batch for each list of places, which are of one size; see `even_batches`."""
        for number, alike in itertools.groupby(orders, key=lambda order: self.part_of(order[0])):
            yield from self.parts[number].batches([[self._home[place][1] for place in order] for order in alike])

    def part_of(self, place: int) -> int:
        """Which part holds the crop at `place`."""
        return self._home[place][0]

    def close(self) -> None:
        """End the worker processes of all parts."""
        for part in self.parts:
            if isinstance(part, StreamedCrops):
                part.close()


def even_batches(crops: CropSource, places: Sequence[int], batch_size: int) -> list[list[int]]:
    """These places in batches of crops of one size: no crop is scaled by what lies beside it."""
    parts: dict[int, list[int]] = {}
    for place in places:
        parts.setdefault(crops.part_of(place) if isinstance(crops, SizedCrops) else 0, []).append(place)
    return [part[first : first + batch_size] for part in parts.values() for first in range(0, len(part), batch_size)]


def _close(crops: "weakref.ref[StreamedCrops]") -> None:
    if (alive := crops()) is not None:
        alive.close()


def _ignore_signals(_worker: int) -> None:
    """Let a worker process read on when the terminal or a scheduler signals the whole group: the main one ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


class _Crops(Dataset[Tensor]):
    """Adapts a reader to torch's loader."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, place: int) -> Tensor:
        return torch.from_numpy(self.reader.read(place))
