"""Catch the signals that ask a training to stop, and stop between two steps."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# A scheduler signals all processes of a job, which pass it on to each other: that is one request.
_ONE_REQUEST_S = 2.0


@contextmanager
def stop_request() -> Iterator[Callable[[], bool]]:
    """Turn SIGINT or SIGTERM into an answer to a question; one that comes seconds later raises KeyboardInterrupt."""
    asked = threading.Event()
    asked_at = 0.0

    def note(number: int, frame: object) -> None:
        nonlocal asked_at
        if not asked.is_set():
            asked_at = time.monotonic()
            asked.set()
        elif time.monotonic() - asked_at > _ONE_REQUEST_S:
            raise KeyboardInterrupt

    # Python lets only the main thread take signals; elsewhere the caller's own handling stays.
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, note) for number in numbers]
    try:
        yield asked.is_set
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
