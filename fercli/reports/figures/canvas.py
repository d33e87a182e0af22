"""Draw matplotlib figures as PNG bytes that are the same on every run: the house style, the colours, the saving."""

import io
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, fontManager, get_font

# Okabe and Ito's colours, told apart by colour-blind readers (Wong, Nature Methods 8, 441, 2011).
BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"
INK, GREY, FAINT = "#1d2430", "#69717d", "#e3e6ea"
PIXELS_PER_INCH = 100
_DPI = 160

# DejaVu Sans ships with matplotlib. Class names in other scripts take the first of these that the system has.
_FAMILY = "DejaVu Sans"
_OTHER_SCRIPTS = ("Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "SimHei", "WenQuanYi Zen Hei")


# Matplotlib's own, which draws a box for every letter.
_BOXES = "Last Resort"


def class_labels(classes: Sequence[str]) -> list[str]:
    """The classes as a figure writes them: by name, or by number where no installed font has the letters of one."""
    if all(_font_of(_strange(name)) is not None for name in classes):
        return list(classes)
    return [str(place) for place in range(1, len(classes) + 1)]


def number_words(classes: Sequence[str]) -> list[str]:
    """A sentence that says which class each number of a figure is; none where the figure has their names."""
    labels = class_labels(classes)
    if labels == list(classes):
        return []
    legend = ", ".join(f"{label} = {name}" for label, name in zip(labels, classes, strict=True))
    return [f"No installed font has the letters of these classes, so figures number them: {legend}."]


def font_path(texts: Sequence[str]) -> Path:
    """The file of the house's font, or of another one that has the letters of all these texts as well."""
    strange = frozenset().union(*map(_strange, texts))
    wanted = strange | frozenset(letter for text in texts for letter in text) | frozenset("0123456789% ")
    entry = _entry_of(wanted) if strange else None
    return Path(entry.fname) if entry else _own_font()


@contextmanager
def house_style(texts: Sequence[str] = ()) -> Iterator[None]:
    """Draw as the house does, whatever the user's own matplotlibrc says; with fonts that have the letters of texts."""
    installed = set(fontManager.get_font_names())
    others = [name for name in _OTHER_SCRIPTS if name in installed]
    found = [font for text in texts if (font := _font_of(_strange(text))) and font not in others]
    style: dict[Any, Any] = {  # the stubs list every key, and only as literals
        "font.family": [_FAMILY, *others, *dict.fromkeys(found)],
        "font.size": 9.0,
        "text.color": INK,
        "text.usetex": False,
        "text.parse_math": False,  # a class may be called "a$b"
        "axes.edgecolor": GREY,
        "axes.facecolor": "white",
        "axes.grid": False,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.8,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": 10.0,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.08,
        "figure.facecolor": "white",
        "grid.color": FAINT,
        "grid.linewidth": 0.8,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "xtick.color": GREY,
        "xtick.labelcolor": INK,
        "ytick.color": GREY,
        "ytick.labelcolor": INK,
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style)
        yield


def _strange(text: str) -> frozenset[str]:
    """The letters that the house's font lacks."""
    # Marks that only join or direct letters are drawn by nobody.
    letters = frozenset(letter for letter in text if unicodedata.category(letter) not in ("Cf", "Zs"))
    return letters - _letters(_own_font())


def _own_font() -> Path:
    return Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


def _font_of(letters: frozenset[str]) -> str | None:
    """A font that has all these letters: empty where none is needed, None where no font is installed that has them."""
    entry = _entry_of(letters) if letters else None
    return entry.name if entry else None if letters else ""


@lru_cache(maxsize=256)
def _entry_of(letters: frozenset[str]) -> FontEntry | None:
    fonts = [font for font in fontManager.ttflist if not font.name.startswith(_BOXES)]
    fonts.sort(
        key=lambda font: (font.name not in _OTHER_SCRIPTS, font.weight != 400, font.style != "normal", font.name)
    )
    return next((font for font in fonts if letters <= _letters(Path(font.fname))), None)


@lru_cache(maxsize=4096)
def _letters(path: Path) -> frozenset[str]:
    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()  # a font that cannot be read has nothing to draw with


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure with a canvas of its own; pyplot, which keeps figures alive, is not involved."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_sheet(width_px: float, height_px: float) -> tuple[Figure, Axes]:
    """An empty sheet whose coordinates are pixels, x to the right and y down, for pictures with captions."""
    figure = Figure(figsize=(width_px / PIXELS_PER_INCH, height_px / PIXELS_PER_INCH))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0, width_px)
    axes.set_ylim(height_px, 0)
    return figure, axes


def place_picture(
    axes: Axes, picture: UInt8[np.ndarray, "height width 3"], left: float, top: float, *, size: float
) -> None:
    """Put a picture onto a sheet, its longer side `size` pixels, centred in the square from (left, top)."""
    height, width = picture.shape[:2]
    scale = size / max(height, width)
    left += (size - width * scale) / 2
    top += (size - height * scale) / 2
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(
        picture,
        extent=(left, left + width * scale, top + height * scale, top),
        interpolation="bilinear",
        aspect="auto",
    )
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])


def png_bytes(figure: Figure, *, dpi: int = _DPI, is_cut: bool = False) -> bytes:
    """Encode a figure without time stamp or program version, so that equal figures are equal files.

    `is_cut` fits the edges to what is drawn; square cells of unknown label width otherwise end at the very edge.
    """
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # A script that no installed font has is drawn as boxes; the figure still says the rest.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font", category=UserWarning)
        edges: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.1} if is_cut else {}  # of savefig
        figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None}, **edges)
    return stream.getvalue()


def pdf_bytes(figure: Figure) -> bytes:
    """Encode a figure for print, its letters as text and without time stamp."""
    stream = io.BytesIO()
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        figure.savefig(stream, format="pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None})
    return stream.getvalue()


def ink_on(colour: tuple[float, float, float, float]) -> str:
    """Dark or white text, whichever reads better on a colour.

    Source: relative luminance and contrast, WCAG 2.1; at 0.215 white and the house's ink have equal contrast.
    """
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if luminance < 0.215 else INK
