"""A page's parts to one HTML file that needs nothing else: no script, no network, pictures inside."""

import base64
import io
import re
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from fercli.reports.page import Page, Table

_CSS_PIXELS_PER_INCH = 96
_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def render_page(page: Page) -> str:
    """Write the page as HTML; every text of it is escaped, so that a file name or class cannot become markup.

    The same page gives the same text. It may load nothing from elsewhere: its policy forbids it to the browser.

    Raises:
        ValueError: a picture is neither PNG nor JPEG.
    """
    environment = Environment(
        loader=PackageLoader("fercli.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["place"] = _place
    environment.filters["is_number"] = _is_number
    environment.filters["number_columns"] = _number_columns
    environment.filters["shown_width"] = _shown_width
    style = resources.files("fercli.reports").joinpath("templates", "report.css").read_text(encoding="utf-8")
    # The style sheet is ours and part of the package; escaping it would break its quotes.
    return environment.get_template("report.html.j2").render(page=page, style=Markup(style))  # noqa: S704


def _data_uri(picture: bytes) -> str:
    for signature, media_type in _SIGNATURES:
        if picture.startswith(signature):
            return f"data:{media_type};base64,{base64.b64encode(picture).decode('ascii')}"
    raise ValueError("a picture of the page is neither PNG nor JPEG")


def _place(value: float) -> str:
    """A share as a CSS percentage within the track."""
    return f"{100 * min(1.0, max(0.0, value)):.2f}%"


def _is_number(cell: str) -> bool:
    """Whether a cell reads as a figure and is set to the right."""
    return bool(re.fullmatch(r"-|[-+]?[\d.,:]+(\s*to\s*[\d.,]+)?(\s*(%|s|min|h|px|fps|kB|MB))?", cell))


def _number_columns(table: Table) -> list[bool]:
    """For each column whether all its cells are figures; its head is then set to the right too."""
    return [
        bool(table.rows) and all(_is_number(row[place]) for row in table.rows) for place in range(len(table.columns))
    ]


def _shown_width(picture: bytes) -> int:
    """Width in CSS pixels at the size for which the picture was drawn; denser screens get its finer pixels."""
    with Image.open(io.BytesIO(picture)) as image:
        dpi = float(image.info.get("dpi", (_CSS_PIXELS_PER_INCH,))[0])
        return round(image.width * _CSS_PIXELS_PER_INCH / dpi)
