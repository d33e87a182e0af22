import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from fercli.engine.local import LocalEngine


def make_squarer(offset: int) -> Callable[[int], tuple[int, int]]:
    return functools.partial(square, offset)


def square(offset: int, number: int) -> tuple[int, int]:
    if number < 0:
        raise ValueError("negative")
    return number * number + offset, os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    engine = LocalEngine(workers)
    results = list(engine.map_items(functools.partial(make_squarer, 1), list(range(20))))
    assert [value for value, _ in results] == [number * number + 1 for number in range(20)]
    assert (os.getpid() in {pid for _, pid in results}) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_worker_is_raised_here(workers: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        list(LocalEngine(workers).map_items(functools.partial(make_squarer, 0), [1, -1, 2]))


def test_no_items_build_no_worker() -> None:
    assert list(LocalEngine().map_items(pytest.fail, [])) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_workers_of_a_killed_process_end_with_it() -> None:
    code = (
        "import functools, math, os, signal\n"
        "from fercli.engine.local import LocalEngine\n"
        "results = LocalEngine(2).map_items(functools.partial(functools.partial, math.sqrt), [4.0] * 20)\n"
        "assert next(results) == 2.0\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    # The workers hold the output's other end: this call returns only when the last of them has ended.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
