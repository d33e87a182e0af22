"""The report in a real browser: tables that sort, nothing wider than the screen, nothing asked of anybody."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator

from fercli.reports.html import render_page
from fercli.reports.page import Mark, Page, Picture, Score, Section, Table
from tests.reports.pictures import plain_face, png_of
from tests.web.browser import Watched, needs_browser

pytestmark = needs_browser
ROWS = (("s10", "9", "80.0%"), ("s2", "1,204", "-"), ("s1", "70", "7.5%"))
TABLE = Table("Per-subject results", ("subject", "faces", "accuracy"), ROWS)
PICTURES = (Picture(png_of(plain_face((9, 9, 9))), "a", "b"), Picture(png_of(plain_face((9, 9, 9))), "c", "d", True))
SECTION = Section(
    "results", "Results", tables=(TABLE,), pictures=PICTURES, scores=(Score("accuracy", 0.25),),
    marks=(Mark("baseline", 0.75, "baseline"),),
)  # fmt: skip


@pytest.fixture
def link(tmp_path: Path) -> str:
    path = tmp_path / "report.html"
    path.write_text(render_page(Page("mine", "one run", "fercli 0", (), (), (SECTION,))), encoding="utf-8")
    return path.as_uri()


def centre(found: Locator) -> float:
    box = found.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2


@pytest.mark.parametrize(
    ("column", "up", "down"),
    [
        ("subject", ["s1", "s2", "s10"], ["s10", "s2", "s1"]),
        ("faces", ["s10", "s1", "s2"], ["s2", "s1", "s10"]),
        ("accuracy", ["s1", "s10", "s2"], ["s10", "s1", "s2"]),
    ],
    ids=["names with numbers", "thousands", "nothing comes last"],
)
def test_table_sorts_by_a_column_and_back(
    watched: Watched,
    link: str,
    column: str,
    up: list[str],
    down: list[str],
) -> None:
    page = watched.open(link)
    head = page.get_by_role("columnheader", name=column)
    for direction, order in (("ascending", up), ("descending", down)):
        head.get_by_role("button").press("Enter")
        assert page.locator("tbody th").all_inner_texts() == order
        assert head.get_attribute("aria-sort") == direction
    assert watched.complaints == []


def test_axis_of_the_scores_is_true_to_scale(watched: Watched, link: str) -> None:
    page = watched.open(link)
    ticks = {tick.inner_text(): centre(tick) for tick in page.locator(".axis .track span").all()}
    assert centre(page.locator(".track .dot")) == pytest.approx(ticks["25%"], abs=1)
    assert centre(page.locator(".track .mark")) == pytest.approx(ticks["75%"], abs=1.5)
    assert ticks["100%"] - ticks["0%"] == pytest.approx(4 * (ticks["25%"] - ticks["0%"]), abs=1)


@pytest.mark.parametrize("width", [400, 1600])
def test_page_is_no_wider_than_the_screen(watched: Watched, link: str, width: int) -> None:
    page = watched.open(link, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_charts_follow_the_dark_mode_and_faces_do_not(watched: Watched, link: str) -> None:
    filters = "Array.from(document.images, (image) => getComputedStyle(image).filter)"
    chart, photo = watched.open(link, color_scheme="dark").evaluate(filters)
    assert chart.startswith("invert(")
    assert photo == "none"
    assert watched.open(link, color_scheme="light").evaluate(filters) == ["none", "none"]
    printed = watched.open(link, color_scheme="dark")
    printed.emulate_media(media="print")
    assert printed.evaluate(filters) == ["none", "none"]
