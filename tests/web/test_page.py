import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from fercli.web.page import PageFile, page_file

PICTURE = b"\x89PNG\r\n\x1a\n-not-really"
HOSTILE = "</script><script>alert(1)</script><!--\u2028"


def text_of(label: str = "happy", num: int = 2) -> str:
    session = {"project": "mine", "classes": [label, "bored"], "guide": [{"label": label, "text": label}]}
    page = PageFile("id-of-the-page", "votes-mine", "", session, ((PICTURE,),), 0.5)
    return "".join(page_file(page, ((f"x{number}", PICTURE, {label: number}) for number in range(num))))


class Elements(HTMLParser):
    """Each script and style of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag in ("script", "style"):
            self.found.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.found and self.get_starttag_text() and self.cdata_elem:
            tag, attributes, before = self.found[-1]
            self.found[-1] = tag, attributes, before + data


@pytest.mark.parametrize("label", ["happy", HOSTILE])
def test_data_of_the_page_are_read_back_whatever_they_hold(label: str) -> None:
    elements = Elements(text_of(label))
    assert [tag for tag, _, _ in elements.found] == ["style", "script", "script"]
    data = json.loads(elements.found[1][2])
    assert data["session"]["classes"] == [label, "bored"]
    assert [item["code"] for item in data["items"]] == ["x0", "x1"]
    assert data["items"][1]["counts"] == {label: 1}
    kind, _, picture = data["items"][0]["crop"].partition(",")
    assert (kind, base64.b64decode(picture)) == ("data:image/png;base64", PICTURE)


def test_page_asks_nothing_of_any_server_and_runs_no_other_script() -> None:
    text = text_of()
    elements = Elements(text)
    assert elements.sources == []
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    for tag, attributes, inside in elements.found:
        if attributes.get("type") != "application/json":
            digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'")
    assert "unsafe" not in policy[1]


def test_page_without_faces_is_whole() -> None:
    assert json.loads(Elements(text_of(num=0)).found[1][2])["items"] == []
