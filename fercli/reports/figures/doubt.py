"""Draw how accurate a model is on the faces that it is sure of: accuracy against coverage."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from matplotlib.ticker import PercentFormatter
from numpy import ndarray

from fercli.reports.figures.canvas import BLUE, GREY, VERMILION, house_style, new_figure, png_bytes

_COLOURS = (BLUE, VERMILION)


@dataclass(frozen=True, eq=False)
class Curve:
    """Accuracy of the accepted faces (0 to 1) by their share of all faces (0 to 1); `reached` is a point to mark."""

    name: str
    coverage: Float[ndarray, " points"]
    accuracy: Float[ndarray, " points"]
    reached: tuple[float, float] | None = None


def draw_risk_coverage(curves: Sequence[Curve], *, target: float | None = None) -> bytes:
    """Draw up to two curves, both axes whole, with a line at the wanted accuracy and what its threshold reaches.

    Selective risk is one less the accuracy drawn.
    """
    with house_style():
        figure = new_figure(4.8, 3.8)
        axes = figure.add_subplot()
        if target is not None:
            axes.axhline(target, color=GREY, linewidth=1, linestyle=(0, (3, 3)), label=f"wanted: {target:.1%}")
        for curve, colour, style in zip(curves, _COLOURS, ("-", (0, (4, 2))), strict=False):
            axes.step(
                curve.coverage, curve.accuracy, where="pre", color=colour, linestyle=style, linewidth=1.4,
                label=curve.name,
            )  # fmt: skip
            if curve.reached:
                axes.plot(*curve.reached, "o", color=colour, markersize=6, markerfacecolor="none")
        axes.set(xlim=(0, 1.02), ylim=(0, 1.03))
        axes.set(xlabel="coverage: share of faces that get a class", ylabel="accuracy on these faces")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol="%"))
        axes.grid(axis="both")
        if any(curve.reached for curve in curves):
            axes.plot([], [], "o", color=GREY, markersize=6, markerfacecolor="none", label="reached by the threshold")
        axes.set_title("accuracy and coverage")
        axes.legend(loc="lower left")
        return png_bytes(figure)
