"""Take items through several steps at once, each step in threads of its own; results in the order of the items."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

# Items that wait between steps, beyond those that are worked on: enough that no step starves, and memory stays flat.
_NUM_WAITING = 2
Work = Callable[[Any], Any]  # takes what the step before gave


@dataclass(frozen=True)
class Step:
    """One step of a pipeline.

    Attributes:
        make_work: called once in each of the step's threads; what it gives takes an item of the step before.
        num_threads: with one, the step sees the items in their order.
    """

    make_work: Callable[[], Work]
    num_threads: int = 1


def run_pipeline(items: Iterable[Any], steps: Sequence[Step]) -> Iterator[Any]:
    """What the last step makes of each item, as soon as it and all before it are done.

    Threads help where the work lets go of Python's lock: decoding, encoding, torch, disks. An error of a step is raised
    here in its item's turn and stops the rest.
    """
    threads = [_StepThreads(step) for step in steps]
    at_work = sum(step.num_threads for step in steps) + _NUM_WAITING
    waiting: deque[Future[Any]] = deque()
    try:
        for item in items:
            future: Future[Any] = Future()
            future.set_result(item)
            for one in threads:
                future = one.submit(future)
            waiting.append(future)
            del future, item
            while waiting and (len(waiting) >= at_work or waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for one in threads:
            one.end()


class _StepThreads:
    """The threads of one step; each builds its own worker when it first has something to do."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(step.num_threads)

    def submit(self, before: "Future[Any]") -> "Future[Any]":
        """The future of this step on what `before` will give; they are begun in the order of submission."""
        return self._pool.submit(self._run, before)

    def end(self) -> None:
        """Finish what is at work and forget the rest."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, before: "Future[Any]") -> Any:  # what the step's work gives
        if not hasattr(self._own, "work"):
            self._own.work = self._step.make_work()
        return self._own.work(before.result())
