"""Functions that do what a damaged file may make a decoder do."""

import ctypes
import faulthandler
import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fercli.core.errors import CheckError
from fercli.core.pulse import beat

MIB = 2**20


def images(num: int, die_after: int | None = None) -> Iterator[np.ndarray]:
    """Images whose pixels are their number."""
    for number in range(num):
        if number == die_after:
            faulthandler._sigsegv()  # type: ignore[attr-defined]  # made for tests
        yield np.full((1080, 1920, 3), number, np.uint8)


def pid_of_reader() -> int:
    return os.getpid()


def read_null() -> None:
    ctypes.string_at(0)


def leave() -> None:
    os._exit(3)


def die_at_first(mark: Path) -> str:
    if mark.exists():
        return "well"
    mark.touch()
    os._exit(3)


def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    time.sleep(1000)


def work_slowly(seconds: float) -> str:
    """Longer than the bound of a test, with signs of life."""
    begin_s = time.monotonic()
    for step in itertools.count():
        beat(8 * step)
        time.sleep(0.02)
        if time.monotonic() - begin_s > seconds:
            break
    return "done"


def take_memory() -> int:
    held = [np.empty(100 * MIB, np.uint8) for _ in range(40)]
    return len(held)


def fail_clearly() -> None:
    raise CheckError("as asked", hint="Do that.")


def fail_oddly() -> None:
    raise KeyError("nobody thought of it")


def print_much() -> str:
    os.write(1, b"a library says something\n" * 10_000)
    return "done"


def count_up() -> Iterator[int]:
    for number in range(25):
        beat(number)
    yield 25
