"""Intervals of statistics that are functions of sums over faces: what `intervals.py` does for confusion matrices."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from jaxtyping import Float, Float64, Int64

from fercli.metrics.intervals import CELLS_AT_ONCE, LEVEL, NUM_DRAWS, Interval, UnitKind, Units, why_no_interval

# From sums with any number of leading axes, "... columns", to numbers; NaN where it is not defined.
Statistic = Callable[[np.ndarray], np.ndarray]


def sums_by_unit(
    columns: Float[np.ndarray, "faces columns"], index: Int64[np.ndarray, " faces"], *, num_units: int
) -> Float64[np.ndarray, "units columns"]:
    """The columns of all faces of each unit, added up."""
    sums = np.zeros((num_units, columns.shape[1]))
    np.add.at(sums, index, columns)
    return sums


def intervals_of_sums(
    columns: Float[np.ndarray, "faces columns"],
    statistics: Mapping[str, Statistic],
    units: Units,
    *,
    generator: np.random.Generator,
) -> dict[str, Interval]:
    """Each statistic of all faces, with its percentile interval over resampled units; all see the same resamples.

    Args:
        columns: what a face adds to each sum.
        statistics: by name.
        units: whose faces these are.
        generator: gives the draws.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval).
    """
    by_unit = sums_by_unit(columns, units.index, num_units=len(units.names))
    values = {name: float(statistic(columns.sum(0))) for name, statistic in statistics.items()}
    if reason := why_no_interval(len(by_unit), units.kind):
        return {name: Interval(value, None, None, units.kind, len(by_unit), reason) for name, value in values.items()}
    draws = np.concatenate(list(resampled(by_unit, generator)))
    return {
        name: interval_of_draws(values[name], statistic(draws), units.kind, len(by_unit))
        for name, statistic in statistics.items()
    }


def resampled(
    by_unit: Float[np.ndarray, "units columns"], generator: np.random.Generator
) -> Iterator[Float64[np.ndarray, "draws columns"]]:
    """Sums of `NUM_DRAWS` resamples of the units, some at a time."""
    num_units = len(by_unit)
    at_once = max(1, CELLS_AT_ONCE // num_units)
    for start in range(0, NUM_DRAWS, at_once):
        size = min(at_once, NUM_DRAWS - start)
        yield generator.multinomial(num_units, np.full(num_units, 1 / num_units), size=size) @ by_unit


def interval_of_draws(value: float, draws: np.ndarray, kind: UnitKind, num_units: int) -> Interval:
    """A value with the percentile interval of its resamples; those without a value count for nothing."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return Interval(value, None, None, kind, num_units, "no resample has a value")
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high), kind, num_units)


def ratio(over: int, under: int) -> Statistic:
    """The statistic that divides one sum by another."""

    def of(sums: np.ndarray) -> np.ndarray:
        below = np.asarray(sums[..., under], np.float64)
        return np.asarray(np.divide(sums[..., over], below, out=np.full(below.shape, np.nan), where=below > 0))

    return of
