"""Divide a stretch of video into parts that can be processed independently."""

from itertools import pairwise
from math import ceil

# A time that is a product of steps and one that a container gives may differ by rounding.
_SAME_MOMENT_S = 1e-6


def part_length(part_s: float, every_s: float) -> float:
    """About `part_s`, and a multiple of `every_s`, so that the moments asked for are the same; 0 asks for all."""
    return every_s * max(1, round(part_s / every_s)) if every_s else part_s


def split_time(
    start_s: float, end_s: float | None, duration_s: float, length_s: float
) -> list[tuple[float, float | None]]:
    """Parts of `length_s` each, with an end that does not belong to them.

    Args:
        start_s: where the first begins.
        end_s: where the last ends; None for the end of the video, wherever it really is.
        duration_s: what the video says of its length; only the number of parts depends on it.
        length_s: of all parts but the last.
    """
    num_parts = max(1, ceil(((end_s or duration_s) - start_s) / length_s))
    edges = [start_s + number * length_s for number in range(num_parts)]
    return [
        *((edge, after - _SAME_MOMENT_S) for edge, after in pairwise(edges)),
        (edges[-1], end_s),
    ]


def part_number(time_s: float, start_s: float, length_s: float) -> int:
    """Which of the parts that `split_time` makes a moment lies in, from 0."""
    return int((time_s + _SAME_MOMENT_S - start_s) // length_s)
