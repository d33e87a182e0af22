"""Charts as PNG bytes: confusion matrix, training curves, calibration, class counts, agreement."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fercli.metrics.calibration import Bin
from fercli.metrics.confusion import Normalization, normalize_confusion
from fercli.reports.figures.canvas import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    class_labels,
    house_style,
    ink_on,
    new_figure,
    png_bytes,
)

_SERIES = ((BLUE, "o", "-"), (VERMILION, "s", "--"), (GREEN, "^", "-."), (PURPLE, "D", ":"))
_BAR_COLOURS = (BLUE, SKY, ORANGE, GREEN, PURPLE, VERMILION)
_MAX_MARKED_EPOCHS = 40
_MAX_NAMED_ANNOTATORS = 14
_MAX_LEVEL_LETTERS = 10


def draw_confusion(
    matrix: Integer[np.ndarray, "classes classes"],
    classes: Sequence[str],
    *,
    normalize: Normalization = "true",
    title: str = "",
) -> bytes:
    """Draw a confusion matrix, rows: true class, columns: predicted class; each cell says its share and its count.

    Args:
        matrix: numbers of faces.
        classes: their names, in order.
        normalize: shares of the true class, of the predicted class, or counts alone.
        title: above the matrix.
    """
    classes = class_labels(classes)
    with house_style([*classes, title]):
        side, longest = 0.78 * len(classes), max(map(len, classes))
        # Room for the names beside and below the cells, which stay square.
        below = 0.75 if longest <= _MAX_LEVEL_LETTERS else 0.5 + 0.06 * longest
        figure = new_figure(side + 1.2 + 0.07 * longest, side + below + (0.3 if title else 0.0))
        fill_confusion(figure.add_subplot(), matrix, classes, normalize=normalize, title=title)
        return png_bytes(figure, is_cut=True)


def fill_confusion(
    axes: Axes,
    matrix: Integer[np.ndarray, "classes classes"],
    labels: Sequence[str],
    *,
    normalize: Normalization,
    title: str,
) -> None:
    """Draw a confusion matrix into `axes`, its classes called as the figure can write them."""
    shares = normalize_confusion(matrix, "true" if normalize == "none" else normalize)
    levels = matrix / max(1, matrix.max()) if normalize == "none" else shares
    axes.imshow(levels, cmap="Blues", vmin=0, vmax=1)
    totals = matrix.sum(axis=0 if normalize == "pred" else 1)
    for row, column in np.ndindex(*matrix.shape):
        # Of no faces at all there is no share.
        has_share = totals[column if normalize == "pred" else row] > 0
        share = "" if normalize == "none" else f"{shares[row, column]:.0%}" if has_share else "-"
        _write_cell(axes, row, column, int(matrix[row, column]), share=share, level=float(levels[row, column]))
    _name_axes(axes, matrix, labels, title)


def draw_curves(
    epochs: Sequence[int],
    loss: Mapping[str, Sequence[float | None]],
    accuracy: Mapping[str, Sequence[float | None]],
    *,
    best_epoch: int | None = None,
) -> bytes:
    """Draw loss and accuracy over the epochs, side by side, with the best epoch marked in both.

    Args:
        epochs: their numbers.
        loss: one value per epoch for each series, as "train" and "val"; None where there is none.
        accuracy: the same, 0 to 1.
        best_epoch: whose weights were kept.
    """
    with house_style():
        figure = new_figure(8.4, 3.1)
        left, right = figure.subplots(1, 2)
        for axes, name, series in ((left, "loss", loss), (right, "accuracy", accuracy)):
            _draw_series(axes, epochs, series)
            axes.set_title(name)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
            axes.grid(axis="y")
            axes.margins(x=0.04, y=0.12)
            if best_epoch is not None:
                axes.axvline(
                    best_epoch, color=GREY, linewidth=1, linestyle=(0, (2, 2)), label=f"best epoch: {best_epoch}"
                )
            if axes.lines:
                axes.legend(loc="best")
        left.set_ylim(bottom=0)
        right.set_ylim(0, 1)
        right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol="%"))
        return png_bytes(figure)


def draw_reliability(bins: Sequence[Bin], *, ece: float | None = None) -> bytes:
    """Draw how often the model was right (bars) against how sure it was (diagonal), and how many faces each bar has.

    Args:
        bins: of `metrics.calibration`; empty ones leave a gap.
        ece: expected calibration error, for the title.
    """
    filled = [part for part in bins if part.num_faces and part.accuracy is not None and part.confidence is not None]
    with house_style():
        figure = new_figure(4.4, 4.6)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (3, 3)), label="perfect calibration")
        for part in filled:
            width = part.high - part.low
            centre = (part.low + part.high) / 2
            upper.bar(centre, part.accuracy or 0.0, width * 0.92, color=SKY, edgecolor=BLUE, linewidth=0.8)
            lower.bar(centre, part.num_faces, width * 0.92, color=GREY)
        upper.plot(
            [part.confidence for part in filled],
            [part.accuracy for part in filled],
            "o",
            color=VERMILION,
            markersize=4,
            label="bin accuracy",
        )
        upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy")
        upper.set_title("reliability" if ece is None else f"reliability, expected calibration error {ece:.3f}", y=1.13)
        # Above the bars, which may stand anywhere.
        upper.legend(loc="lower left", bbox_to_anchor=(0.0, 0.99), ncols=2)
        lower.set(xlabel="confidence (predicted probability)", ylabel="faces")
        lower.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=3))
        return png_bytes(figure)


def draw_class_counts(counts: Mapping[str, Mapping[str, int]], classes: Sequence[str]) -> bytes:
    """Draw the number of faces of each class, one bar per group, each bar with its number.

    Args:
        counts: per group ("train", "val", "test"), the number per class.
        classes: in the order to draw.
    """
    thick, labels = 0.8 / max(1, len(counts)), class_labels(classes)
    with house_style(labels):
        figure = new_figure(6.6, 0.7 + max(0.34, 0.2 * len(counts)) * len(classes) + 0.3)
        axes = figure.add_subplot()
        for place, (group, by_class) in enumerate(counts.items()):
            values = [by_class.get(emotion, 0) for emotion in classes]
            middles = np.arange(len(classes)) + (place - (len(counts) - 1) / 2) * thick
            colour = _BAR_COLOURS[place % len(_BAR_COLOURS)]
            bars = axes.barh(middles, values, thick * 0.9, color=colour, label=f"{group} ({sum(values)})")
            axes.bar_label(bars, padding=3, fontsize=8)
        axes.set_yticks(np.arange(len(classes)), labels)
        axes.invert_yaxis()
        axes.set_xlabel("faces")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.margins(x=0.1)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        if counts:
            axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(counts))
        return png_bytes(figure)


def draw_agreement(
    matrix: Float[np.ndarray, "annotators annotators"],
    annotators: Sequence[str],
    *,
    measure: str = "Cohen's kappa",
) -> bytes:
    """Draw how well each two annotators agree; NaN, two who share no face, is a dash.

    Args:
        matrix: symmetric, at most 1; the diagonal is not drawn.
        annotators: pseudonyms, in order.
        measure: what the numbers are.
    """
    values = np.array(matrix, np.float64)
    np.fill_diagonal(values, np.nan)
    with house_style():
        side = 1.6 + 0.5 * min(len(annotators), _MAX_NAMED_ANNOTATORS)
        figure = new_figure(side + 0.8, side)
        axes = figure.add_subplot()
        low = min(0.0, float(np.nanmin(values))) if np.isfinite(values).any() else 0.0
        axes.set_facecolor(FAINT)
        image = axes.imshow(values, cmap="Blues", vmin=low, vmax=1)
        if len(annotators) <= _MAX_NAMED_ANNOTATORS:
            _write_agreement(axes, values, low)
            axes.set_xticks(range(len(annotators)), annotators, rotation=45, ha="right", rotation_mode="anchor")
            axes.set_yticks(range(len(annotators)), annotators)
        bar = figure.colorbar(image, ax=axes, shrink=0.8)
        bar.outline.set_visible(False)
        axes.set_title(f"Pairwise {measure}")
        _hide_frame(axes)
        return png_bytes(figure)


def _write_cell(axes: Axes, row: int, column: int, count: int, *, share: str, level: float) -> None:
    colour = ink_on(matplotlib.colormaps["Blues"](level))
    if not share:
        axes.text(column, row, f"{count}", ha="center", va="center", color=colour, fontsize=10)
        return
    weight = "bold" if row == column else "normal"
    axes.text(column, row - 0.1, share, ha="center", va="center", color=colour, fontsize=10, fontweight=weight)
    axes.text(column, row + 0.24, f"{count}", ha="center", va="center", color=colour, fontsize=7.5)


def _name_axes(axes: Axes, matrix: Integer[np.ndarray, "classes classes"], classes: Sequence[str], title: str) -> None:
    places = range(len(classes))
    axes.set_xticks(places, classes)
    if max(map(len, classes), default=0) > _MAX_LEVEL_LETTERS:
        axes.tick_params(axis="x", labelrotation=35)
        for text in axes.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(places, [f"{name} ({count})" for name, count in zip(classes, matrix.sum(axis=1), strict=True)])
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class (n)")
    axes.set_xticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.set_title(title)
    _hide_frame(axes)


def _hide_frame(axes: Axes) -> None:
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_series(axes: Axes, epochs: Sequence[int], series: Mapping[str, Sequence[float | None]]) -> None:
    for (name, values), (colour, marker, line) in zip(series.items(), _SERIES, strict=False):
        numbers = np.array([np.nan if value is None else value for value in values], np.float64)
        shown = marker if len(epochs) <= _MAX_MARKED_EPOCHS else ""
        axes.plot(epochs, numbers, color=colour, marker=shown, linestyle=line, markersize=3.5, label=name)


def _write_agreement(axes: Axes, values: Float[np.ndarray, "annotators annotators"], low: float) -> None:
    for row, column in np.ndindex(*values.shape):
        value = float(values[row, column])
        if row == column:
            continue
        if np.isnan(value):
            axes.text(column, row, "-", ha="center", va="center", color=INK)
            continue
        colour = ink_on(matplotlib.colormaps["Blues"]((value - low) / (1 - low)))
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
