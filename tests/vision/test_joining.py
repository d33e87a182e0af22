"""Parts of a video to people, by likeness and by who is seen beside whom."""

import numpy as np

from fercli.vision.joining import join_parts

FREE = np.ones((3, 3), bool)


def likeness(first_second: float, first_third: float, second_third: float) -> np.ndarray:
    return np.array(
        [[1.0, first_second, first_third], [first_second, 1.0, second_third], [first_third, second_third, 1.0]]
    )


def test_parts_that_are_alike_are_one_person() -> None:
    joined = join_parts(likeness(0.9, 0.1, 0.1), [{"1"}, {"2"}, {"2"}], FREE, least=0.5, lead=0.1)
    assert (joined.groups, joined.doubtful) == ([0, 0, 1], [])


def test_parts_seen_together_are_never_one_person() -> None:
    joined = join_parts(likeness(0.9, 0.1, 0.1), [{"1"}, {"1"}, {"2"}], FREE, least=0.5, lead=0.1)
    assert joined.groups == [0, 1, 2]


def test_part_as_like_somebody_beside_is_in_doubt() -> None:
    """The third is like the first and nearly as like the second, who stands beside the first."""
    joined = join_parts(likeness(0.1, 0.9, 0.85), [{"1"}, {"1"}, {"2"}], FREE, least=0.5, lead=0.1)
    assert joined.groups == [0, 1, 2]
    assert joined.doubtful == [(0, 2), (1, 2)]


def test_a_group_is_seen_where_any_of_its_parts_is() -> None:
    """First and third are one; the second is like the third, and seen with the first."""
    joined = join_parts(likeness(0.1, 0.9, 0.6), [{"1"}, {"1"}, {"2"}], FREE, least=0.5, lead=0.1)
    assert (joined.groups, joined.doubtful) == ([0, 1, 0], [])


def test_what_may_not_be_joined_is_not() -> None:
    apart = ~np.array([[False, True, False], [True, False, False], [False, False, False]])
    joined = join_parts(likeness(0.9, 0.1, 0.1), [{"1"}, {"2"}, {"3"}], apart, least=0.5, lead=0.1)
    assert joined.groups == [0, 1, 2]
