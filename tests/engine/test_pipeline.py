import threading
from collections.abc import Callable, Iterator

import pytest

from fercli.engine.pipeline import Step, run_pipeline


def always(work: Callable[[int], int]) -> Callable[[], Callable[[int], int]]:
    return lambda: work


def test_results_come_in_the_order_of_the_items() -> None:
    first_may_go = threading.Event()

    def late(number: int) -> int:
        # The first item ends after the second.
        if number == 0:
            assert first_may_go.wait(20)
        elif number == 1:
            first_may_go.set()
        return number * 10

    steps = [Step(always(late), 2), Step(always(lambda number: number + 1), 2)]
    assert list(run_pipeline(range(9), steps)) == [number * 10 + 1 for number in range(9)]


def test_steps_work_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=20)

    def meet(number: int) -> int:
        meeting.wait()
        return number

    # Each item's second step meets the next item's first; the first and the last have nobody to meet.
    first = always(lambda number: number if number == 0 else meet(number))
    second = always(lambda number: number if number == 5 else meet(number))
    assert list(run_pipeline(range(6), [Step(first), Step(second)])) == list(range(6))


def test_step_of_one_thread_sees_the_items_in_order() -> None:
    seen: list[int] = []
    steps = [Step(always(lambda number: number), 3), Step(always(lambda number: seen.append(number) or number))]  # type: ignore[func-returns-value]
    list(run_pipeline(range(50), steps))
    assert seen == list(range(50))


def test_each_thread_builds_its_own_worker() -> None:
    built: list[int] = []
    everybody_is_here = threading.Barrier(3, timeout=20)

    def build() -> Callable[[int], int]:
        built.append(threading.get_ident())
        everybody_is_here.wait()
        return lambda number: number

    assert list(run_pipeline(range(10), [Step(build, 3)])) == list(range(10))
    assert len(set(built)) == len(built) == 3


def test_few_items_wait_however_slow_their_taker_is() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = run_pipeline(items(), [Step(always(lambda number: number)), Step(always(lambda number: number))])
    assert next(results) == 0
    assert len(taken) <= 5
    assert list(results) == list(range(1, 100))


@pytest.mark.parametrize("place", [0, 1])
def test_an_error_is_raised_in_its_turn_and_ends_the_rest(place: int) -> None:
    done: list[int] = []

    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        done.append(number)
        return number

    plain = always(lambda number: number)
    steps = [Step(always(work)), Step(plain)] if place == 0 else [Step(plain), Step(always(work))]
    results = run_pipeline(range(100), steps)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert max(done) < 10


def test_nobody_works_on_after_the_taker_has_left() -> None:
    before = threading.active_count()
    results = run_pipeline(iter(range(1000)), [Step(always(lambda number: number), 2)])
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
