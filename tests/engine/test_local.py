import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from fercli.core.errors import InputError
from fercli.engine.local import LocalEngine


def make_squarer(offset: int) -> Callable[[int], tuple[int, int]]:
    return functools.partial(square, offset)


def square(offset: int, number: int) -> tuple[int, int]:
    if number < 0:
        raise ValueError("negative")
    return number * number + offset, os.getpid()


def make_odd() -> Callable[[str], str]:
    return behave


def behave(how: str) -> str:
    if how == "sleep":
        time.sleep(300)
    if how == "die":
        os._exit(1)
    if how == "fail":
        raise ValueError("as asked")
    return how


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


def test_long_items_do_not_hold_up_the_end_of_a_failed_stage() -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="as asked"):
        list(LocalEngine(2).map_items(make_odd, ["fail", "sleep", "well"]))
    assert time.monotonic() - began < 100  # of the 300 that the item sleeps


def test_worker_ended_from_outside_is_a_clear_error() -> None:
    with pytest.raises(InputError, match="a worker process was killed") as caught:
        list(LocalEngine(2).map_items(make_odd, ["well", "die", "well"]))
    assert "--workers" in caught.value.hint


def test_without_a_number_all_runs_in_this_process() -> None:
    results = LocalEngine().map_items(functools.partial(make_squarer, 0), [1, 2, 3])
    assert {pid for _, pid in results} == {os.getpid()}
