"""The labelling page as one file that can be sent: styles, scripts and crops inside, nothing asked of any server."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fercli.web.app import STATIC

Record = dict[str, Any]  # JSON
_SCRIPTS = ("theme.js", "page.js", "file.js")


@dataclass(frozen=True)
class PageFile:
    """What a file holds besides the crops.

    Attributes:
        id: under which the browser keeps the votes; no two files have the same.
        name: of the file that comes back, without the annotator and the suffix.
        annotator: where it is known; else the page asks.
        session: what the page has to know once.
        examples: for each entry of the guide its pictures.
        unsure: what stands for the confidence of a vote that is not sure.
    """

    id: str
    name: str
    annotator: str
    session: Record
    examples: tuple[tuple[bytes, ...], ...]
    unsure: float


def page_file(page: PageFile, items: Iterable[tuple[str, bytes, Mapping[str, int]]]) -> Iterator[str]:
    """The text of the file in pieces, for files that are larger than memory ought to hold.

    Args:
        page: what it holds.
        items: for each face its code, its picture and, for an adjudicator, the votes on it.
    """
    head, tail = _shell()
    known = {
        "id": page.id,
        "file": page.name,
        "annotator": page.annotator,
        "session": page.session,
        "examples": [[_data_url(picture) for picture in row] for row in page.examples],
        "unsure": page.unsure,
    }
    yield head + _json(known)[:-1] + ',"items":['
    for number, (code, picture, counts) in enumerate(items):
        item: Record = {"code": code, "crop": _data_url(picture)}
        yield ("," if number else "") + "\n" + _json(item | ({"counts": dict(counts)} if counts else {}))
    yield "\n]}" + tail


def _shell() -> tuple[str, str]:
    """The page before and after the data, with all that it needs from elsewhere inside."""
    style = _read("annotate.css")
    script = "\n".join(_read(name) for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    page = _read("annotate.html")
    page = re.sub(r"^<(link|script) .*\n", "", page, flags=re.MULTILINE)
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    page = page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{meta}')
    page = page.replace("</head>", f"<style>{style}</style>\n</head>")
    head, tail = page.split("</body>")
    return (
        f'{head}<script type="application/json" id="fer-data">',
        f"</script>\n<script>{script}</script>\n</body>{tail}",
    )


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"


def _json(value: Record) -> str:
    """JSON that ends no element of the page, whatever it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _data_url(picture: bytes) -> str:
    kind = "jpeg" if picture[:2] == b"\xff\xd8" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
