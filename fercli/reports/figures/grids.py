"""The Grad-CAM grid and the contact sheet, as PNG bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import matplotlib
import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from fercli.reports.figures.canvas import (
    FAINT,
    GREEN,
    GREY,
    INK,
    VERMILION,
    class_labels,
    house_style,
    new_sheet,
    place_picture,
    png_bytes,
)

_SHEET_DPI = 150
_LEGEND_WIDTH = 560
_FACE, _GAP, _CAPTION, _MARGIN, _HEADER, _FOOTER = 92, 3, 32, 14, 52, 40


@dataclass(frozen=True, eq=False)
class CamCase:
    """One face with its map laid over it; `probability` is that of the predicted class."""

    image: UInt8[np.ndarray, "height width 3"]
    overlay: UInt8[np.ndarray, "height width 3"]
    true: str
    predicted: str
    probability: float


@dataclass(frozen=True, eq=False)
class CamRow:
    """One true class: faces of it that were recognised, and faces of it that were taken for another class."""

    emotion: str
    right: tuple[CamCase, ...]
    wrong: tuple[CamCase, ...]


@dataclass(frozen=True, eq=False)
class SheetFace:
    """One face of a contact sheet, with up to two short lines below it."""

    image: UInt8[np.ndarray, "height width 3"]
    caption: tuple[str, ...] = ()


def draw_cam_grid(rows: Sequence[CamRow], *, num_per_side: int, title: str = "", legend: str = "") -> bytes:
    """Draw one row per class: cases recognised on the left, cases mistaken on the right, each beside its map.

    A place without a case says so, so that a row is never empty.

    Args:
        rows: in the order to draw.
        num_per_side: places for right and for wrong cases in each row.
        title: above the grid.
        legend: what the colours mean, at the bottom.
    """
    names = [row.emotion for row in rows]
    label_of = dict(zip(names, class_labels(names), strict=True))
    rows = [_labelled(row, label_of) for row in rows]
    pair = 2 * _FACE + _GAP + 10
    label = 20 + max((7 * len(row.emotion) for row in rows), default=0)
    lefts = (_MARGIN + label, _MARGIN + label + num_per_side * pair + 16)
    row_height = _FACE + _CAPTION + 8
    with house_style([*names, title]):
        figure, axes = new_sheet(lefts[1] + num_per_side * pair + _MARGIN, _HEADER + len(rows) * row_height + _FOOTER)
        axes.text(_MARGIN, 17, title, fontsize=9, fontweight="bold", va="center")
        for left, word, colour in ((lefts[0], "correct", GREEN), (lefts[1], "misclassified", VERMILION)):
            axes.text(left, 40, word, fontsize=8, va="center", fontweight="bold", color=colour)
            width = num_per_side * pair - 10
            axes.plot([left, left + width], [48, 48], color=colour, linewidth=1.5)
        for number, row in enumerate(rows):
            top = _HEADER + 4 + number * row_height
            axes.text(_MARGIN, top + _FACE / 2, row.emotion, fontsize=9, fontweight="bold", va="center")
            for left, cases, word in ((lefts[0], row.right, "correct"), (lefts[1], row.wrong, "misclassified")):
                for place in range(num_per_side):
                    case = cases[place] if place < len(cases) else None
                    reason = f"no {'more ' if cases else ''}{word} examples"
                    _draw_case(axes, case, left + place * pair, top, reason=reason)
        _draw_scale(axes, lefts[0], _HEADER + len(rows) * row_height + 16, legend)
        return png_bytes(figure, dpi=_SHEET_DPI)


def draw_contact_sheet(
    faces: Sequence[SheetFace], *, num_columns: int = 8, size_px: int = 92, legend: str = ""
) -> bytes:
    """Draw faces in rows, each with its caption below.

    Args:
        faces: at least one.
        num_columns: faces in a row.
        size_px: longer side of a face, before the sheet's enlargement by 1.5.
        legend: what the colours of maps mean, beside their scale; without it no scale is drawn.

    Raises:
        ValueError: there is no face.
    """
    if not faces:
        raise ValueError("a contact sheet needs at least one face")
    num_columns = min(num_columns, len(faces))
    num_lines = max(len(face.caption) for face in faces)
    step = size_px + 8, size_px + 8 + 13 * num_lines
    num_rows = -(-len(faces) // num_columns)
    with house_style([text for face in faces for text in face.caption]):
        bottom = num_rows * step[1] + 8
        width = max(num_columns * step[0] + 8, _LEGEND_WIDTH if legend else 0)
        figure, axes = new_sheet(width, bottom + (_FOOTER if legend else 0))
        for place, face in enumerate(faces):
            row, column = divmod(place, num_columns)
            left, top = 8 + column * step[0], 8 + row * step[1]
            place_picture(axes, face.image, left, top, size=size_px)
            for line, text in enumerate(face.caption):
                axes.text(left, top + size_px + 9 + 13 * line, text, fontsize=6.5, va="center", color=INK)
        if legend:
            _draw_scale(axes, 8, bottom + 12, legend)
        return png_bytes(figure, dpi=_SHEET_DPI)


def _labelled(row: CamRow, label_of: Mapping[str, str]) -> CamRow:
    """A row whose classes are called as the figure can write them."""

    def labelled(case: CamCase) -> CamCase:
        # A class of no row, which a network of other classes may predict, keeps its name.
        return replace(
            case, true=label_of.get(case.true, case.true), predicted=label_of.get(case.predicted, case.predicted)
        )

    return CamRow(label_of[row.emotion], tuple(map(labelled, row.right)), tuple(map(labelled, row.wrong)))


def _draw_case(axes: Axes, case: CamCase | None, left: float, top: float, *, reason: str) -> None:
    if case is None:
        axes.add_patch(Rectangle((left, top), 2 * _FACE + _GAP, _FACE, facecolor=FAINT, edgecolor="none"))
        axes.text(left + _FACE + _GAP / 2, top + _FACE / 2, reason, ha="center", va="center", fontsize=7, color=GREY)
        return
    place_picture(axes, case.image, left, top, size=_FACE)
    place_picture(axes, case.overlay, left + _FACE + _GAP, top, size=_FACE)
    axes.text(left, top + _FACE + 9, f"true: {case.true}", fontsize=6.5, va="center")
    answer = f"predicted: {case.predicted}, {100 * case.probability:.0f}%"
    colour = INK if case.true == case.predicted else VERMILION
    axes.text(left, top + _FACE + 21, answer, fontsize=6.5, va="center", color=colour)


def _draw_scale(axes: Axes, left: float, top: float, legend: str) -> None:
    colours = matplotlib.colormaps["inferno"](np.linspace(0, 1, 160))[None, :, :3]
    strip = np.repeat(np.round(colours * 255).astype(np.uint8), 8, axis=0)
    axes.text(left, top, "low", fontsize=7, va="center", color=GREY)
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(strip, extent=(left + 30, left + 190, top + 5, top - 5), aspect="auto")
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])
    axes.text(left + 196, top, f"high      {legend}", fontsize=7, va="center", color=GREY)
