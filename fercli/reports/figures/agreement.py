"""Agreement of annotators, class by class, as a chart in PNG bytes."""

from collections.abc import Mapping

import numpy as np

from fercli.reports.figures.canvas import BLUE, ORANGE, house_style, new_figure, png_bytes


def draw_class_agreement(kappas: Mapping[str, float | None], ceilings: Mapping[str, float | None]) -> bytes:
    """Draw Fleiss' kappa and the human ceiling of each class, a pair of bars each; what is not defined is left out.

    Args:
        kappas: of each class (one vs. rest), at most 1, in the order to draw.
        ceilings: share of votes that are the others' majority where that is this class, 0 to 1.
    """
    classes = list(kappas)
    series = (("Fleiss' kappa, this class (one vs. rest)", kappas, BLUE), ("human ceiling", ceilings, ORANGE))
    with house_style():
        figure = new_figure(6.6, 0.9 + 0.45 * len(classes))
        axes = figure.add_subplot()
        for place, (name, values, colour) in enumerate(series):
            middles = np.arange(len(classes)) + (place - 0.5) * 0.4
            known = [np.nan if (value := values.get(emotion)) is None else value for emotion in classes]
            bars = axes.barh(middles, np.nan_to_num(known), 0.36, color=colour, label=name)
            labels = ["-" if np.isnan(value) else f"{value:.2f}" for value in known]
            axes.bar_label(bars, labels, padding=3, fontsize=8)
        axes.set_yticks(np.arange(len(classes)), classes)
        axes.invert_yaxis()
        axes.set_xlim(min(0.0, *(value for value in kappas.values() if value is not None), 0.0), 1.1)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
        return png_bytes(figure)
