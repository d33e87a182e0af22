"""Draw several runs in one figure: validation curves, and confusion matrices side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fercli.metrics.confusion import Normalization
from fercli.reports.figures.canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    class_labels,
    house_style,
    new_figure,
    pdf_bytes,
    png_bytes,
)
from fercli.reports.figures.scores import fill_confusion

_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY)
# With more runs than colours, the line tells them apart.
_LINES = ("-", "--", "-.", ":")
_MAX_IN_A_ROW = 3


@dataclass(frozen=True)
class Drawing:
    """One figure, for the screen and for print."""

    png: bytes
    pdf: bytes


def draw_validation_curves(
    curves: Mapping[str, Sequence[float | None]], *, measure: str = "validation accuracy"
) -> Drawing:
    """Draw one line a run over its epochs, as Figure 4 of the SFER-MDFAE paper does.

    Args:
        curves: by the run's name; None where an epoch has no value.
        measure: what the values are, from 0 to 1.
    """
    with house_style(list(curves)):
        figure = new_figure(6.4, 4.0)
        axes = figure.add_subplot()
        for place, (name, values) in enumerate(curves.items()):
            numbers = np.array([np.nan if value is None else value for value in values], np.float64)
            line = _LINES[place // len(_COLOURS) % len(_LINES)]
            axes.plot(np.arange(1, len(numbers) + 1), numbers, line, color=_COLOURS[place % len(_COLOURS)], label=name)
        axes.set(xlabel="epoch", ylabel=measure, ylim=(0, 1))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol="%"))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.grid(axis="y")
        axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.16), ncols=1 if _longest(curves) > 20 else 2)
        return drawing_of(figure)


def draw_confusions(
    matrices: Mapping[str, Integer[np.ndarray, "classes classes"]],
    classes: Sequence[str],
    *,
    normalize: Normalization = "true",
) -> Drawing:
    """Draw confusion matrices side by side, rows true, as Figure 5 of the SFER-MDFAE paper does.

    Args:
        matrices: numbers of faces, by the run's name.
        classes: of all of them, in order.
        normalize: shares of the true class, of the predicted class, or counts alone.
    """
    labels = class_labels(classes)
    columns = min(_MAX_IN_A_ROW, len(matrices))
    rows = -(-len(matrices) // columns)
    side = 0.62 * len(labels) + 0.9 + 0.07 * _longest(labels)
    with house_style([*labels, *matrices]):
        figure = new_figure(columns * side, rows * (side + 0.35))
        places = np.atleast_1d(figure.subplots(rows, columns)).reshape(-1)
        for axes, (name, matrix) in zip(places, matrices.items(), strict=False):
            fill_confusion(axes, matrix, labels, normalize=normalize, title=name)
        for axes in places[len(matrices) :]:
            axes.set_visible(False)
        return drawing_of(figure)


def _longest(names: Mapping[str, object] | Sequence[str]) -> int:
    return max(map(len, names), default=0)


def drawing_of(figure: Figure) -> Drawing:
    """A figure for the screen and for print."""
    return Drawing(png_bytes(figure), pdf_bytes(figure))
