from pathlib import Path

import pytest
from starlette.testclient import TestClient

from fercli.web.app import Hosts, Visitor, build_app
from tests.stages.labelled_page import HOST, OWN, Page, make_project


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(make_project(tmp_path / "mine"), "a1", "a2")


@pytest.mark.parametrize("path", ["/api/session", "/api/crop/x", "/api/scene/x", "/api/context/x", "/api/near/x/0"])
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic token-a1"}])
def test_nothing_of_the_project_without_the_token(page: Page, path: str, header: dict[str, str]) -> None:
    answer = page.client.get(path, headers=header)
    assert answer.status_code == 401
    assert "tiny" not in answer.text


def test_page_is_loaded_without_a_token_and_holds_nothing_of_the_project(page: Page) -> None:
    answer = page.client.get("/")
    assert answer.status_code == 200
    assert "tiny" not in answer.text
    assert "token-a1" not in answer.text


def test_word_opens_the_page_once(tmp_path: Path) -> None:
    desk = Page(make_project(tmp_path / "mine")).desk
    app = build_app(desk, {"token": Visitor("a1")}, Hosts(frozenset({"127.0.0.1"}), 8750), entries={"word": "token"})
    client = TestClient(app, base_url=f"http://{HOST}")
    assert client.post("/api/enter", json={"word": "other"}, headers=OWN).status_code == 401
    assert client.post("/api/enter", json={"word": "word"}).status_code == 403
    assert client.post("/api/enter", json={"word": "word"}, headers=OWN).json() == {"token": "token"}
    assert client.post("/api/enter", json={"word": "word"}, headers=OWN).status_code == 401


@pytest.mark.parametrize("host", ["evil.example:8750", "127.0.0.1:8751", "127.0.0.1", "evil.example", ""])
def test_other_host_names_are_refused(page: Page, host: str) -> None:
    answer = page.get("/api/session", Host=host)
    assert (answer.status_code, answer.json()) == (403, {"error": "unknown host name"})


@pytest.mark.parametrize("origin", ["http://evil.example", "null", f"https://{HOST}", "http://127.0.0.1:9999", ""])
def test_other_origins_are_refused(page: Page, origin: str) -> None:
    assert page.post("/api/next", {"window": "w1"}, Origin=origin).status_code == 403
    assert page.client.get("/", headers={"Origin": origin}).status_code == 403


def test_change_without_an_origin_is_refused(page: Page) -> None:
    answer = page.client.post("/api/next", json={}, headers={"Authorization": "Bearer token-a1"})
    assert answer.status_code == 403


def test_request_of_another_site_is_refused(page: Page) -> None:
    assert page.get("/api/session", **{"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/static/none.js", "/api/session", "/nowhere"])
def test_every_answer_forbids_scripts_of_others_and_keeping(page: Page, path: str) -> None:
    headers = page.client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["..%2fapp.py", "%2e%2e", "app.py", "..%5capp.py", "%2fetc%2fpasswd", "annotate"])
def test_only_our_static_files_are_served(page: Page, name: str) -> None:
    assert page.client.get(f"/static/{name}").status_code == 404


def test_pages_hold_no_inline_script_or_style() -> None:
    from fercli.web.app import STATIC

    for path in STATIC.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "<style" not in text
        assert " style=" not in text
        assert " on" not in [word[:3] for word in text.split("<")]
        assert text.count("<script") == text.count('<script src="/static/')


def test_too_long_or_no_json_is_refused(page: Page) -> None:
    assert page.post("/api/save", {"label": "x" * 70_000}).status_code == 413
    own = {"Authorization": "Bearer token-a1", **OWN}
    assert page.client.post("/api/save", content=b"{", headers=own).status_code == 400
    assert page.client.post("/api/save", content=b"[1]", headers=own).status_code == 400


def test_annotator_has_no_face_by_the_name_of_a_file(page: Page) -> None:
    for code in ("..%2f..%2ffer.toml", "lesson-1%2ff000000-0", "x000000000000"):
        assert page.get(f"/api/crop/{code}").status_code in (400, 404)


@pytest.mark.parametrize(
    ("header", "is_known"),
    [("192.168.1.7:80", True), ("[fe80::1]:80", True), ("lab-pc:80", True), ("LAB-PC:80", True),
     ("evil.example:80", False), ("192.168.1.7:81", False), ("[fe80::1]", False)],
)  # fmt: skip
def test_numeric_addresses_are_known_where_the_page_is_open_to_a_network(header: str, is_known: bool) -> None:
    assert Hosts(frozenset({"lab-pc"}), 80, any_address=True).knows(header) == is_known
    assert not Hosts(frozenset({"localhost"}), 80).knows("192.168.1.7:80")
