"""Render a page as one HTML file that needs nothing else: pictures, styles and the script that sorts tables inside."""

import base64
import hashlib
import io
import re
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from fercli.reports.page import Page, Table

_CSS_PIXELS_PER_INCH = 96
_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def render_page(page: Page) -> str:
    """Write the page as HTML; every text of it is escaped, so that a file name or class cannot become markup.

    The same page gives the same text. It may load nothing from elsewhere and run nothing but the package's own script,
    which its policy names by digest: the browser holds it to that.

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
    environment.filters["with_code"] = _with_code
    environment.filters["data_uri"] = _data_uri
    environment.filters["place"] = _place
    environment.filters["is_number"] = _is_number
    environment.filters["number_columns"] = _number_columns
    environment.filters["shown_width"] = _shown_width
    style, script = (_own_file(name) for name in ("report.css", "report.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return environment.get_template("report.html.j2").render(
        page=page, style=style, script=script, script_digest=digest
    )


def _own_file(name: str) -> Markup:
    # Part of the package, and nobody's input; escaping it would break its quotes.
    text = resources.files("fercli.reports").joinpath("templates", name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704


def _with_code(text: str) -> Markup:
    """A sentence whose commands stand between backticks."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a backtick of a file name or a class, that opens nothing
        return escape(text)
    parts[1::2] = [Markup("<code>{}</code>").format(part) for part in parts[1::2]]
    return Markup("").join(parts)


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
