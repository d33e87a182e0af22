import functools
import os
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
