"""Map a function over items on this machine, in this process or in spawned ones; same results, same order."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar, runtime_checkable

from fercli.core.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

# How long an interrupted or failed stage waits for the items at hand.
_GRACE_S = 3.0
# More are refused there.
_MOST_ON_WINDOWS = 61
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
        workers = min(self.workers, len(items), _MOST_ON_WINDOWS if sys.platform == "win32" else self.workers)
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
            waiting: list[Future[Result]] = _submit(pool, islice(remaining, 4 * workers))
            while waiting:
                result = waiting.pop(0).result()
                waiting += _submit(pool, islice(remaining, 1))
                yield result
        except BrokenProcessPool as error:
            raise InputError(
                "a worker process was killed, possibly because memory ran out",
                hint="Reduce --workers and run the same command to resume.",
            ) from error
        except BaseException:
            _end_soon(pool)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


LOCAL = LocalEngine()


def _end_soon(pool: ProcessPoolExecutor) -> None:
    """Let the processes finish a short item, and end those that are at a long one: what they do is done again."""
    processes = list((pool._processes or {}).values())  # before Python 3.14 there is no public way to them
    pool.shutdown(wait=False, cancel_futures=True)
    deadline = time.monotonic() + _GRACE_S
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
    for process in processes:
        if process.is_alive():
            process.terminate()


def _map_here(make_worker: Callable[[], Callable[[Item], Result]], items: Sequence[Item]) -> Iterator[Result]:
    if items:
        work = make_worker()
        for item in items:
            yield work(item)


def _submit(pool: ProcessPoolExecutor, items: Iterable[Any]) -> list[Future[Any]]:
    """Hand items over; the pool starts a process when none is idle."""
    if not hasattr(signal, "pthread_sigmask"):
        return [pool.submit(_run, item) for item in items]
    # Ctrl-C reaches every process of the terminal, and a process inherits what is blocked at its birth: the workers
    # hear nothing of it and finish their item, this process ends them in order, and none writes a traceback.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return [pool.submit(_run, item) for item in items]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(make_worker: Callable[[], Callable[[Any], Any]]) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows, see `_submit`
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = make_worker()


def _end_with_parent() -> None:
    """A pool's process would wait for work for ever after its parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(item: Any) -> Any:
    assert _worker is not None
    return _worker(item)
