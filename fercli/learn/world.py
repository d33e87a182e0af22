"""The processes that train one model together: who this one is, which samples are its own, how they agree."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from fercli.core.errors import UsageError
from fercli.core.words import counted

Value = TypeVar("Value")


@dataclass(frozen=True)
class World:
    """One process of `size`; alone unless torchrun launched it. Only the main one writes files."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def share(self, places: Sequence[int]) -> list[int]:
        """The part of a batch that is this process' own: every `size`-th, so that parts differ by one at most."""
        return list(places[self.rank :: self.size])

    def sums(self, *values: float) -> list[float]:
        """Each value summed over all processes, the same bits in each."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=_device())
        dist.all_reduce(total)
        return [float(value) for value in total.cpu()]

    def whole(
        self, rows: Float[Tensor, "share columns"], places: Sequence[int], num_rows: int
    ) -> Float[Tensor, "rows columns"]:
        """All rows in order, of which each process has those at its `places`; no row is padding."""
        if self.size == 1:
            return rows
        table = torch.zeros(num_rows, rows.shape[1], dtype=rows.dtype)
        table[list(places)] = rows
        table = table.to(_device())
        dist.all_reduce(table)
        return table.cpu()

    def share_buffers(self, model: nn.Module) -> None:
        """Give the running statistics of the main process' model to the others, which saw other pictures."""
        for buffer in model.buffers() if self.size > 1 else ():
            dist.broadcast(buffer, 0)

    def meet(self) -> None:
        """Wait until all processes are here."""
        self.sums(0.0)

    def from_main(self, make: Callable[[], Value]) -> Value:
        """What `make` gives in the main process, in all of them."""
        if self.size == 1:
            return make()
        box: list[Value | None] = [make() if self.is_main else None]
        dist.broadcast_object_list(box, 0)
        value: Value = box[0]  # type: ignore[assignment]  # the main process' value has arrived
        return value


ALONE = World()


def is_launched() -> bool:
    """Whether torchrun, or a launcher like it, started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def joined_world(device: str = "auto") -> Iterator[World]:
    """Join the other processes of this training; alone when there are none.

    Args:
        device: where they train: "cpu" lets them talk by gloo, a GPU by NCCL, one GPU for each process of a machine.

    Raises:
        UsageError: more processes than GPUs on this machine.
    """
    if not is_launched():
        yield ALONE
        return
    if torch.device("cuda" if device == "auto" else device).type not in ("cpu", "cuda"):
        raise UsageError(
            f"multi-process training is not supported on '{device}'", hint="Use CUDA GPUs or --device cpu."
        )
    has_gpu = torch.device("cuda" if device == "auto" else device).type == "cuda" and torch.cuda.is_available()
    if has_gpu:
        _take_own_gpu()
    store, rank, size = next(iter(rendezvous("env://")))
    # After a restart the store still holds the addresses of the processes that died; a fresh prefix hides them.
    store = PrefixStore(f"restart-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    dist.init_process_group("nccl" if has_gpu else "gloo", store=store, rank=rank, world_size=size)
    try:
        yield World(rank, size)
    finally:
        dist.destroy_process_group()


def _take_own_gpu() -> None:
    num_processes, num_gpus = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if num_processes > num_gpus:
        raise UsageError(
            f"{counted(num_processes, 'process', 'processes')} cannot share {num_gpus} GPUs",
            hint="Use one process per GPU, or --device cpu.",
        )
    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))


def _device() -> torch.device:
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
