"""Map a function over items on this machine, in this process or in spawned ones; same results, same order."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar, runtime_checkable

Item = TypeVar("Item")
Result = TypeVar("Result")

# What the initializer of a pool's process built; a process serves one pool only.
_worker: Callable[[Any], Any] | None = None  # takes and gives what the pool's caller chose


@runtime_checkable
class Engine(Protocol):
    """Whatever can run a worker over many items."""

    def map_items(self, make_worker: Callable[[], Callable[[Item], Result]], items: Sequence[Item]) -> Iterator[Result]:
        """Results in the order of the items, each as soon as it and all before it are done."""


@dataclass(frozen=True)
class LocalEngine:
    """`workers` processes on this machine; with one, everything runs in this process.

    `make_worker` is called once in each process, so it builds what is heavy; it and the items must be picklable when
    there are several workers (a module's function, or `functools.partial` of one).
    """

    workers: int = 1

    def map_items(self, make_worker: Callable[[], Callable[[Item], Result]], items: Sequence[Item]) -> Iterator[Result]:
        """See `Engine.map_items`; an error of a worker is raised here and stops the rest."""
        workers = min(self.workers, len(items))
        if workers <= 1:
            yield from _map_here(make_worker, items)
        else:
            yield from self._map_in_pool(make_worker, items, workers)

    def _map_in_pool(
        self, make_worker: Callable[[], Callable[[Item], Result]], items: Sequence[Item], workers: int
    ) -> Iterator[Result]:
        # Spawn everywhere: forking a process that holds torch's threads can hang, and Windows has nothing else.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(make_worker,))
        try:
            # A bounded window keeps memory flat when one early item is slow.
            remaining = iter(items)
            waiting: list[Future[Result]] = [pool.submit(_run, item) for item in islice(remaining, 4 * workers)]
            while waiting:
                result = waiting.pop(0).result()
                waiting += [pool.submit(_run, item) for item in islice(remaining, 1)]
                yield result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


LOCAL = LocalEngine()


def _map_here(make_worker: Callable[[], Callable[[Item], Result]], items: Sequence[Item]) -> Iterator[Result]:
    if items:
        work = make_worker()
        for item in items:
            yield work(item)


def _start(make_worker: Callable[[], Callable[[Any], Any]]) -> None:
    global _worker
    _worker = make_worker()


def _run(item: Any) -> Any:
    assert _worker is not None
    return _worker(item)
