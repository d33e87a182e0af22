"""Draw the variants of a study: their accuracies, and their differences to one of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from fercli.reports.figures.canvas import BLUE, GREY, INK, VERMILION, house_style, new_figure
from fercli.reports.figures.comparison import Drawing, drawing_of

_LEVEL_LETTERS = 10
_WIDTH_OF_ONE = 0.75


@dataclass(frozen=True)
class Point:
    """One variant; `low`, `high` and the `gap`s are None where there are none.

    Attributes:
        label: below the axis.
        value: test accuracy, from 0 to 1.
        low: of its interval.
        high: of its interval.
        seeds: test accuracies of the single seeds.
        val: accuracy on the validation set.
        gap: difference to the variant that all are compared to; None of itself.
        gap_low: of its interval.
        gap_high: of its interval.
    """

    label: str
    value: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...]
    val: float | None
    gap: float | None
    gap_low: float | None
    gap_high: float | None


def draw_study(points: Sequence[Point], *, axis: str, against: str, unit: str) -> Drawing:
    """Draw accuracies above, differences below, variants side by side, as Figures 6 and 7 of the SFER-MDFAE paper.

    Args:
        points: the variants, from left to right.
        axis: what distinguishes the variants.
        against: the name of the one to which differences are.
        unit: what intervals are over.
    """
    labels = [point.label for point in points]
    with house_style([*labels, axis, against]):
        figure = new_figure(max(4.8, 1.6 + _WIDTH_OF_ONE * len(points)), 5.4)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _draw_scores(upper, points, unit)
        _draw_gaps(lower, points)
        lower.set_ylabel(f"minus {against}\n(points)")
        lower.set_xlabel(axis)
        lower.set_xticks(range(len(points)), labels)
        if max(len(line) for label in labels for line in label.split("\n")) > _LEVEL_LETTERS:
            lower.tick_params(axis="x", labelrotation=30)
        lower.set_xlim(-0.5, len(points) - 0.5)
        return drawing_of(figure)


def _draw_scores(axes: Axes, points: Sequence[Point], unit: str) -> None:
    for place, point in enumerate(points):
        test = "test" if point.low is None else f"test, 95% CI over {unit}s"
        names = ("", "", "") if place else (test, "test, each seed", "validation")
        if len(point.seeds) > 1:
            places = [place + 0.14] * len(point.seeds)
            axes.plot(places, point.seeds, ".", color=GREY, markersize=4, label=names[1] or None)
        _whisker(axes, place, point.value, point.low, point.high, label=names[0])
        if point.val is not None:
            axes.plot(
                place - 0.14, point.val, "D", color=VERMILION, markerfacecolor="white", markersize=5,
                label=names[2] or None,
            )  # fmt: skip
    axes.set_ylabel("accuracy")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}%"))
    axes.grid(axis="y")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, columnspacing=1.2, handletextpad=0.3)


def _draw_gaps(axes: Axes, points: Sequence[Point]) -> None:
    axes.axhline(0, color=INK, linewidth=0.8)
    for place, point in enumerate(points):
        if point.gap is not None:
            _whisker(axes, place, point.gap, point.gap_low, point.gap_high, label="")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:+.3g}" if value else "0"))
    axes.grid(axis="y")


def _whisker(axes: Axes, place: int, value: float, low: float | None, high: float | None, *, label: str) -> None:
    """A point with its interval, where it has one."""
    # A score may lie a hair outside a bootstrap interval of few units.
    ends = None if low is None or high is None else [[max(0.0, value - low)], [max(0.0, high - value)]]
    axes.errorbar(place, value, yerr=ends, fmt="o", color=BLUE, capsize=3, markersize=5, label=label or None)
