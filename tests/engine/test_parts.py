import pytest

from fercli.engine.parts import part_length, part_number, split_time


def test_length_is_a_multiple_of_the_step_near_what_was_asked() -> None:
    assert part_length(600.0, 0.7) == pytest.approx(857 * 0.7)
    assert part_length(10.0, 60.0) == 60.0
    assert part_length(10.0, 0.0) == 10.0


def test_parts_meet_and_the_last_is_open() -> None:
    assert split_time(1.0, None, 10.0, 4.0) == [(1.0, 5.0 - 1e-6), (5.0, 9.0 - 1e-6), (9.0, None)]
    assert split_time(0.0, 3.0, 10.0, 4.0) == [(0.0, 3.0)]
    assert split_time(0.0, None, 0.0, 4.0) == [(0.0, None)]


def test_moment_that_rounding_puts_before_an_edge_lies_behind_it() -> None:
    # 3 * 0.1 is a little more than 0.3.
    (_, end_s), (begin_s, _) = split_time(0.0, None, 0.5, 3 * 0.1)
    assert end_s is not None
    assert end_s < 0.3 < begin_s
    assert part_number(0.3, 0.0, 3 * 0.1) == 1
    assert part_number(0.2999, 0.0, 3 * 0.1) == 0
