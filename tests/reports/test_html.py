import base64
import hashlib
import html.parser
import re

import pytest

from fercli.reports.html import render_page
from fercli.reports.page import Highlight, Mark, Missing, Page, Picture, Score, Section, Table
from tests.reports.pictures import jpeg_bytes, plain_face, png_of

SECTION = Section(
    "results",
    "The results",
    text=("How well it does.",),
    facts=(("network", "drf-msam"),),
    warnings=("Only two subjects.",),
    scores=(Score("accuracy", 0.8, 0.7, 0.9), Score("macro-F1", 0.75)),
    marks=(Mark("always 'happy'", 0.25, "baseline"),),
    tables=(
        Table("Each class", ("class", "recall"), (("happy", "80.0%"),), note="A note."),
        Table("Per-subject results", ("subject", "faces"), (("s001", "1,204"),), is_folded=True),
    ),
    pictures=(Picture(png_of(plain_face((9, 9, 9))), "A grey square.", "What it shows."),),
    commands=("fer eval", "fer report"),
    closing=("The end.",),
)


def page_of(*sections: Section) -> Page:
    return Page(
        "my-class", "one run", "fercli 0", (Highlight("80%", "accuracy", "of 10 faces"),), ("Mind this.",), sections
    )


class Reader(html.parser.HTMLParser):
    """Collects elements, and tells which were opened and never closed."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_page_shows_every_part_of_a_section() -> None:
    words = Reader(render_page(page_of(SECTION))).words
    for text in ("How well it does.", "drf-msam", "Only two subjects.", "80.0%", "A note.", "s001", "What it shows."):
        assert text in words
    for text in ("fer eval\nfer report", "The end.", "Mind this.", "of 10 faces", "always 'happy'"):
        assert text in words


def test_every_element_is_closed() -> None:
    assert Reader(render_page(page_of(SECTION))).open == []


def test_page_needs_nothing_from_elsewhere() -> None:
    text = render_page(page_of(SECTION))
    page = Reader(text)
    assert all(str(image["src"]).startswith("data:image/png;base64,") for image in page.all("img"))
    assert not page.all("link")
    assert not re.search(r"https?://|url\(|@import", text)
    policy = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    script = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    assert len(script) == len(page.all("script")) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode("utf-8")).digest()).decode("ascii")
    assert policy == [f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"]


def test_names_of_files_and_classes_cannot_become_markup() -> None:
    evil = "<script>alert(1)</script>\" onload='x"
    section = Section("s", evil, text=(evil,), tables=(Table(evil, (evil,), ((evil,),)),), commands=(evil,))
    page = Reader(render_page(page_of(section)))
    assert len(page.all("script")) == 1  # the page's own
    assert not any("onload" in attributes for _, attributes in page.elements)
    assert page.words.count(evil) >= 5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Run `fer eval <b>` again.", "Run <code>fer eval &lt;b&gt;</code> again."),
        ("A class `x", "A class `x"),
        ("`a` and `b`", "<code>a</code> and <code>b</code>"),
    ],
)
def test_commands_between_backticks_are_set_as_code(text: str, shown: str) -> None:
    assert f"<p>{shown}</p>" in render_page(page_of(Section("s", "t", text=(text,))))


def test_readers_without_sight_get_headings_alternatives_and_captions() -> None:
    page = Reader(render_page(page_of(SECTION)))
    assert page.all("html")[0]["lang"] == "en"
    assert [tag for tag, _ in page.elements if tag in ("h1", "h2")] == ["h1", "h2", "h2"]
    assert [image["alt"] for image in page.all("img")] == ["A grey square."]
    assert len(page.all("caption")) == len(page.all("table")) == 2
    assert {cell["scope"] for cell in page.all("th")} == {"col", "row"}


def test_links_of_the_contents_lead_to_headings() -> None:
    page = Reader(render_page(page_of(SECTION, Section("data", "The data"))))
    targets = {str(attributes["id"]) for _, attributes in page.elements if "id" in attributes}
    assert {str(link["href"]).removeprefix("#") for link in page.all("a")} <= targets


def test_missing_part_names_the_command_that_makes_it() -> None:
    gap = Missing("the model has not been evaluated.", "fer eval")
    words = Reader(render_page(page_of(Section("results", "The results", missing=(gap,))))).words
    assert "Missing: the model has not been evaluated. Run fer eval, then fer report again." in words


def test_interval_is_drawn_from_its_lower_to_its_upper_end() -> None:
    text = render_page(page_of(SECTION))
    assert text.count('class="range" style="left:70.00%;width:20.00%"') == 1
    assert 'class="dot" style="left:75.00%"' in text


def test_figures_stand_to_the_right_with_their_heads() -> None:
    page = Reader(render_page(page_of(SECTION)))
    assert [cell.get("class") for cell in page.all("td")] == ["number", "number"]
    assert [cell.get("class") for cell in page.all("th") if cell["scope"] == "col"] == [None, "number", None, "number"]


def test_same_page_gives_the_same_text() -> None:
    assert render_page(page_of(SECTION)) == render_page(page_of(SECTION))


def test_picture_is_shown_at_the_size_for_which_it_was_drawn() -> None:
    picture = Picture(jpeg_bytes(plain_face((9, 9, 9), 300), dpi=150), "a", "b")
    page = Reader(render_page(page_of(Section("s", "t", pictures=(picture,)))))
    assert page.all("img")[0]["width"] == "192"  # 300 pixels at 150 an inch are 2 inches of 96 CSS pixels
    assert str(page.all("img")[0]["src"]).startswith("data:image/jpeg;base64,")


def test_unknown_form_of_picture_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="neither PNG nor JPEG"):
        render_page(page_of(Section("s", "t", pictures=(Picture(b"GIF89a", "a", "b"),))))


def test_template_and_style_are_part_of_the_package() -> None:
    from importlib import resources

    folder = resources.files("fercli.reports").joinpath("templates")
    assert {entry.name for entry in folder.iterdir()} >= {"report.html.j2", "report.css", "report.js"}
