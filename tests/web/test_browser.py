"""The labelling page as an annotator uses it: keys, kills, windows, screens; skipped where there is no Chromium."""

import statistics
import time
from collections import Counter
from pathlib import Path

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Page

from fercli.core.progress import SILENT
from fercli.core.project import Project, open_project
from fercli.core.rows import Face, Label, Vote
from fercli.stages.annotate.faces import Faces
from fercli.stages.labels.archive import read_imports, read_key
from fercli.stages.labels.export import LabelsExportSettings, labels_export
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.labels.repeats import self_agreement
from fercli.stages.labels.show import labels_show
from fercli.stages.predictions import predict_faces
from tests.stages.labelled_page import make_project
from tests.stages.trained import trained_project
from tests.stages.voted import face, write_votes
from tests.web.browser import Watched, needs_browser, serving

pytestmark = needs_browser
KEYS = {"happy": "1", "neutral": "2", "bored": "3"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "mine", num_subjects=6, num_frames=10)


def ready(page: Page) -> Page:
    """The page with a face on it."""
    page.wait_for_selector("#picture img", timeout=20_000)
    return page


def until(page: Page, expression: str) -> None:
    """Wait until it is true; the page's policy forbids the browser what `wait_for_function` does."""
    deadline = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, (expression, page.evaluate("fer.state()"), page.inner_text("body"))
        page.wait_for_timeout(2)


def press(page: Page, key: str) -> str:
    """Answer the face that is shown, which comes back, once the next one or the end is there."""
    until(page, "fer.state().unsaved < 3")
    code: str = page.evaluate("fer.state().code")
    page.keyboard.press(key)
    is_next = "(document.querySelector('#picture img') || !fer.state().code)"
    until(page, f"fer.state().code !== {code!r} && {is_next}")
    return code


def saved(page: Page) -> None:
    until(page, "fer.state().unsaved === 0")


def votes(project: Project, annotator: str = "a1") -> list[Vote]:
    return [vote for vote in project.rows(Vote) if vote.annotator == annotator]


def test_fifty_faces_by_keys_though_the_server_is_killed_in_the_middle(project: Project, watched: Watched) -> None:
    with serving(project.root, "--annotator", "maria") as server:
        page = ready(watched.open(server.link))
        for number in range(25):
            press(page, "123"[number % 3])
        server.kill()
        # What was on its way, and as many more as make three, wait in the browser.
        number = 25
        while page.evaluate("fer.state().unsaved") < 3:
            page.keyboard.press("123"[number % 3])
            number += 1
        page.wait_for_selector("#notice:not([hidden])")
        assert "does not answer" in page.inner_text("#notice")
        context = page.context
    with serving(project.root, "--annotator", "maria") as server:
        page.close()
        page = context.new_page()
        page.goto(server.link)
        ready(page)
        saved(page)
        assert page.inner_text("#counts") == f"{number} of 60"
        for later in range(number, 50):
            press(page, "123"[later % 3])
        saved(page)
        assert page.inner_text("#counts") == "50 of 60"
        server.stop()
    found = votes(project)
    assert len(found) == len({vote.face_id for vote in found}) == 50
    assert Counter(vote.label for vote in found) == {"happy": 17, "neutral": 17, "bored": 16}
    assert len(read_imports(project)) == 1
    assert read_key(project)["maria"] == "a1"
    # A server that was killed is the only thing the console complains of.
    assert all("ERR_CONNECTION" in text for text in watched.complaints), watched.complaints


def test_votes_of_a_killed_server_come_with_the_next_labels_command(project: Project, watched: Watched) -> None:
    with serving(project.root, "--annotator", "maria") as server:
        page = ready(watched.open(server.link))
        for _ in range(4):
            press(page, "1")
        saved(page)
        server.kill()
    assert labels_show(project).num_votes == 4
    assert labels_show(project).num_votes == 4


def test_killed_browser_loses_and_doubles_nothing(project: Project, watched: Watched) -> None:
    with serving(project.root, "--annotator", "maria") as server:
        page = ready(watched.open(server.link))
        for _ in range(5):
            press(page, "1")
        page.context.close()
        page = ready(watched.open(server.link))
        until(page, "document.getElementById('counts').textContent !== ''")
        before = int(page.inner_text("#counts").split()[0])
        assert 2 <= before <= 5  # at most three were not saved
        press(page, "2")
        saved(page)
        server.stop()
    assert len(votes(project)) == before + 1


def test_two_annotators_at_once(project: Project, watched: Watched) -> None:
    with serving(project.root, "--annotator", "maria,ben") as server:
        pages = [ready(watched.open(server.links[f"{name}'s link"])) for name in ("maria", "ben")]
        for _ in range(6):
            press(pages[0], "1")
            press(pages[1], "3")
        for page in pages:
            saved(page)
        server.stop()
    assert {vote.label for vote in votes(project, "a1")} == {"happy"}
    assert {vote.label for vote in votes(project, "a2")} == {"bored"}
    assert watched.complaints == []


def test_one_annotator_in_two_windows(project: Project, watched: Watched) -> None:
    with serving(project.root, "--annotator", "maria") as server:
        context = watched.context()
        windows = [context.new_page(), context.new_page()]
        for page in windows:
            page.goto(server.link)
            ready(page)
        codes = [press(page, "1") for _ in range(8) for page in windows]
        for page in windows:
            saved(page)
        server.stop()
    assert len(set(codes)) == 16
    assert len(votes(project)) == 16


def test_undo_skip_unsure_and_comment_by_keys(project: Project, watched: Watched) -> None:
    with serving(project.root, "--annotator", "maria", "--order", "video") as server:
        page = ready(watched.open(server.link))
        first = press(page, "1")
        second = press(page, "1")
        saved(page)
        page.keyboard.press("z")
        page.keyboard.press("Backspace")
        assert page.evaluate("fer.state().code") == first
        page.keyboard.press("u")
        page.keyboard.press("c")
        page.keyboard.type("1 eye is closed")
        page.keyboard.press("Enter")
        assert press(page, "3") == first
        assert press(page, "s") == second
        saved(page)
        server.stop()
    (vote,) = votes(project)
    assert (vote.face_id, vote.label, vote.confidence) == (face(0, 0), "bored", 0.5)
    raw = (project.root / read_imports(project)[0].kept).read_text(encoding="utf-8")
    assert "1 eye is closed" in raw
    assert watched.complaints == []


def test_held_key_is_one_vote(project: Project, watched: Watched) -> None:
    with serving(project.root, "--annotator", "maria") as server:
        page = ready(watched.open(server.link))
        page.keyboard.down("1")
        for _ in range(5):
            page.keyboard.down("1")  # what a keyboard repeats
        page.keyboard.up("1")
        saved(page)
        server.stop()
    assert len(votes(project)) == 1


def test_digits_are_known_by_their_place_on_the_keyboard(project: Project, watched: Watched) -> None:
    with serving(project.root, "--annotator", "maria") as server:
        page = ready(watched.open(server.link))
        # The key of the 3 on a French keyboard, and the 2 of a number pad.
        for key, code in (('"', "Digit3"), ("2", "Numpad2")):
            before = page.evaluate("fer.state().code")
            page.evaluate(f"document.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', code: '{code}'}}))")
            until(page, f"fer.state().code !== '{before}'")
        saved(page)
        server.stop()
    assert Counter(vote.label for vote in votes(project)) == {"bored": 1, "neutral": 1}


def test_blind_repeats_are_shown_like_any_face(project: Project, watched: Watched) -> None:
    with serving(project.root, "--annotator", "maria", "--blind", "0.2") as server:
        page = ready(watched.open(server.link))
        assert page.inner_text("#counts") == "0 of 72"
        codes = []
        while page.evaluate("fer.state().code"):
            codes.append(press(page, "1"))
        assert len(set(codes)) == 72
        page.wait_for_selector("#end:not([hidden])")
        assert page.inner_text("#end-title") == "All done"
        saved(page)
        server.stop()
    assert len(votes(project)) == 60
    assert self_agreement(project) == {"a1": (12, 12)}


def test_ties_are_resolved_by_the_last_word(project: Project, watched: Watched, tmp_path: Path) -> None:
    given = {face(0, 0): "hb", face(1, 0): "hh"}
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "v.csv", given)])
    with serving(project.root, "--only", "ties") as server:
        page = ready(watched.open(server.link))
        assert page.inner_text("#counts") == "0 of 1"
        notes = page.eval_on_selector_all(".classes .note", "found => found.map(one => one.textContent)")
        assert notes == ["1 vote", "", "1 vote", "", ""]
        page.click("[data-label=bored]")
        page.wait_for_selector("#end:not([hidden])")
        saved(page)
        server.stop()
    label = next(label for label in project.rows(Label) if label.face_id == face(0, 0))
    assert (label.label, label.status, label.num_votes) == ("bored", "adjudicated", 2)


def test_frame_with_its_box_and_neighbours_on_a_key(project: Project, watched: Watched) -> None:
    rows = [
        Face(**{**{name: getattr(row, name) for name in Face.__slots__}, "left": 10.0, "top": 20.0, "width": 30.0,
                "height": 40.0, "time_s": float(row.frame_id[-6:])})
        for row in project.rows(Face)
    ]  # fmt: skip
    project.write_rows(rows, Face)
    with serving(project.root, "--annotator", "maria", "--order", "video") as server:
        page = ready(watched.open(server.link))
        press(page, "1")
        page.keyboard.press("f")
        page.wait_for_selector("#scene img")
        assert page.get_attribute("#scene svg", "viewBox") == "0 0 160 90"
        box = [page.get_attribute("#scene rect.box", side) for side in ("x", "y", "width", "height")]
        assert box == ["10", "20", "30", "40"]
        page.keyboard.press("f")
        page.keyboard.press("n")
        page.wait_for_selector("#near figure")
        captions = page.eval_on_selector_all("#near figcaption", "found => found.map(one => one.textContent)")
        assert captions == ["-1.0 s", "this face", "+1.0 s", "+2.0 s", "+3.0 s"]
        server.stop()
    assert watched.complaints == []


def test_class_called_like_markup_is_shown_as_it_is(tmp_path: Path, watched: Watched) -> None:
    project = make_project(tmp_path / "mine")
    config = (project.root / "fer.toml").read_text(encoding="utf-8")
    config = (
        config.replace('"happy"', '"<b>x</b>"') + "\n[annotate.guide]\n\"<b>x</b>\" = '<img src=x onerror=alert(1)>'\n"
    )
    (project.root / "fer.toml").write_text(config, encoding="utf-8")
    with serving(project.root, "--annotator", "<script>alert(1)</script>") as server:
        page = ready(watched.open(server.link))
        assert page.inner_text(".classes button >> nth=0") == "1\n<b>x</b>"
        assert page.inner_text("#who") == "<script>alert(1)</script>"
        page.keyboard.press("g")
        assert "<img src=x" in page.inner_text("#guide")
        assert page.query_selector("#guide b, #guide img, .classes b") is None
        page.keyboard.press("Escape")
        press(page, "1")
        saved(page)
        server.stop()
    assert [vote.label for vote in open_project(project.root).rows(Vote)] == ["<b>x</b>"]
    assert watched.complaints == []


def test_link_of_an_earlier_server_is_refused_with_a_word(project: Project, watched: Watched) -> None:
    with serving(project.root, "--annotator", "maria") as server:
        page = watched.open(server.link[:-4])
        page.wait_for_selector("#notice:not([hidden])")
        assert "no longer valid" in page.inner_text("#notice")
        page = watched.open(server.link.split("#")[0])
        page.wait_for_selector("#notice:not([hidden])")
        assert "lacks its key" in page.inner_text("#notice")


def test_browser_is_given_an_address_that_works_once(project: Project, watched: Watched, tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = tmp_path / "browser"
    script.write_text(f"#!/bin/sh\necho \"$1\" > '{told}'\n", encoding="utf-8")
    script.chmod(0o755)
    with serving(project.root, "--annotator", "maria", browser=f"{script} %s") as server:
        deadline = time.monotonic() + 30
        while not (told.exists() and told.read_text(encoding="utf-8").endswith("\n")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        address = told.read_text(encoding="utf-8").strip()
        assert server.link.partition("#")[2] not in address
        page = ready(watched.open(address))
        assert page.url == server.link
        page.reload()
        ready(page)
        assert watched.complaints == []
        other = watched.open(address)
        other.wait_for_selector("#notice:not([hidden])")
        assert "only once" in other.inner_text("#notice")
        server.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_page_is_accessible_and_fits_the_screen(project: Project, watched: Watched, scheme: str, width: int) -> None:
    with serving(project.root, "--annotator", "maria") as server:
        page = ready(watched.open(server.link, color_scheme=scheme, viewport={"width": width, "height": 900}))
        press(page, "1")
        saved(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        box = page.locator("#picture").bounding_box()
        assert box is not None
        assert box["width"] >= 0.55 * min(width, 900)
        check_access(page)
        page.keyboard.press("?")
        check_access(page)
        server.stop()
    assert watched.complaints == []


def check_access(page: Page) -> None:
    """axe finds nothing to complain of."""
    # The library is run through the debugger, to which the page's policy does not apply.
    found = Axe().run(page)
    told = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]]
    assert told == []


def test_face_has_a_name_and_the_change_is_announced(project: Project, watched: Watched) -> None:
    with serving(project.root, "--annotator", "maria") as server:
        page = ready(watched.open(server.link))
        press(page, "2")
        assert page.get_attribute("#picture img", "alt") == "Face 2"
        assert page.inner_text("[role=status]") == "neutral"
        assert page.get_by_role("button", name="neutral").count() == 1
        # By the keyboard alone: the first class is reached by the tabulator, and chosen by Enter.
        page.locator("[data-label=happy]").focus()
        press(page, "Enter")
        saved(page)
        server.stop()
    assert Counter(vote.label for vote in votes(project)) == {"neutral": 1, "happy": 1}


def test_next_face_is_there_in_less_than_fifty_milliseconds(tmp_path: Path, watched: Watched) -> None:
    project = make_project(tmp_path / "mine", num_subjects=20, num_frames=6)
    with serving(project.root, "--annotator", "maria") as server:
        page = ready(watched.open(server.link))
        for number in range(100):
            press(page, "123"[number % 3])
        timings: list[float] = page.evaluate("fer.timings")
        saved(page)
        server.stop()
    assert len(timings) >= 99
    assert statistics.median(timings) < 50, sorted(timings)


def test_page_of_one_file_gives_back_votes_that_are_imported_as_they_are(
    project: Project, watched: Watched, tmp_path: Path
) -> None:
    result = labels_export(project, LabelsExportSettings(to="html", blind=0.1))
    link = (project.root / result.folder / "annotate.html").as_uri()
    context = watched.context(accept_downloads=True)
    page = context.new_page()
    page.goto(link)
    page.fill("#start-name", "maria")
    page.keyboard.press("Enter")
    ready(page)
    check_access(page)
    assert page.inner_text("#counts") == "0 of 66"
    first = press(page, "1")
    page.keyboard.press("z")
    page.keyboard.press("u")
    assert press(page, "2") == first
    for _ in range(9):
        press(page, "3")
    # The browser keeps what was said, and goes on where it was.
    page.close()
    page = context.new_page()
    page.goto(link)
    ready(page)
    assert page.inner_text("#counts") == "10 of 66"
    assert page.evaluate("document.title").startswith("tiny")
    while page.evaluate("fer.state().code"):
        press(page, "3")
    page.wait_for_selector("#end:not([hidden])")
    with page.expect_download() as download:
        page.click("#end-download")
    table = tmp_path / download.value.suggested_filename
    download.value.save_as(table)
    assert table.name == "votes-tiny-maria.csv"
    imported = labels_import(project, LabelsImportSettings(), [table])
    assert (imported.num_votes, imported.num_unmatched) == (60, 0)
    assert imported.self_agreement["a1"] >= 5 / 6
    assert Counter(vote.label for vote in votes(project))["bored"] >= 59
    assert [vote.confidence for vote in votes(project) if vote.label == "neutral"] in ([0.5], [])
    assert watched.complaints == []


def test_ties_in_a_page_of_one_file_come_back_as_the_last_word(
    project: Project, watched: Watched, tmp_path: Path
) -> None:
    given = {face(0, 0): "hb", face(1, 0): "hh"}
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "v.csv", given)])
    result = labels_export(project, LabelsExportSettings(to="html", only="ties"))
    page = watched.context(accept_downloads=True).new_page()
    page.goto((project.root / result.folder / "annotate.html").as_uri())
    ready(page)
    notes = page.eval_on_selector_all(".classes .note", "found => found.map(one => one.textContent)")
    assert notes == ["1 vote", "", "1 vote", "", ""]
    press(page, "3")
    with page.expect_download() as download:
        page.click("#download")
    table = tmp_path / "back.csv"
    download.value.save_as(table)
    labels_import(project, LabelsImportSettings(), [table])
    label = next(label for label in project.rows(Label) if label.face_id == face(0, 0))
    assert (label.label, label.status) == ("bored", "adjudicated")


def test_review_leads_from_a_figure_to_the_face_and_its_frame(watched: Watched, tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    votes = project.rows(Vote)
    apart = Vote("lesson/f000005-0", "a2", "bored", "bored")
    others = [vote for vote in votes if (vote.face_id, vote.annotator) != ("lesson/f000005-0", "a2")]
    project.write_rows([*others, apart], Vote)
    with serving(project.root, "--review") as server:
        assert list(server.links) == ["review"]
        page = watched.open(server.link)
        page.wait_for_selector("#board:not([hidden])")
        check_access(page)
        page.click("[aria-label='Show where a1 and a2 disagree']")
        page.wait_for_selector("#grid button")
        assert "1 face" in page.inner_text("#cases-title")
        assert "a2 bored" in page.inner_text("#grid button")
        page.click("#grid button")
        page.wait_for_selector("#detail-crop img")
        assert page.inner_text("#detail-title") == "lesson/f000005-0"
        check_access(page)
        server.stop()
    with serving(project.root, "--review", "lesson/f000002-1") as server:
        page = watched.open(server.link)
        page.wait_for_selector("#detail-crop img")
        assert page.inner_text("#detail-title") == "lesson/f000002-1"
        server.stop()
    assert watched.complaints == []


def test_suggestion_comes_after_the_vote_and_may_change_it(watched: Watched, tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    project.write_rows([], Vote)
    best = predict_faces(project, "", SILENT).best
    with serving(project.root, "--annotator", "a1", "--suggest", "latest", "--order", "video") as server:
        page = ready(watched.open(server.link))
        suggested = best("lesson/f000000-0")
        assert suggested is not None
        other = next(name for name in KEYS if name != suggested[0])
        assert page.is_hidden("#suggestion")
        page.keyboard.press(KEYS[other])
        page.wait_for_selector("#suggestion:not([hidden])")
        assert suggested[0] in page.inner_text("#suggestion")
        press(page, KEYS[suggested[0]])
        assert page.is_hidden("#suggestion")
        second = best(page_order(project)[1])
        assert second is not None
        page.keyboard.press(KEYS[next(name for name in KEYS if name != second[0])])
        page.wait_for_selector("#suggestion:not([hidden])")
        press(page, "Enter")
        saved(page)
        server.stop()
    found = {vote.face_id: (vote.label, vote.suggested) for vote in votes(project)}
    first, other_face = page_order(project)[:2]
    assert found[first] == (suggested[0], "after")
    assert found[other_face][1] == ""
    assert watched.complaints == []


def page_order(project: Project) -> list[str]:
    """The faces as they are shown with `--order video`."""
    return Faces(project).in_time()
