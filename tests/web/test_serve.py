"""The server as a process: its links, its end, the demo's page; no browser is needed."""

import http.client
import json
import random
import signal
import socket
import threading
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fercli.core.errors import UsageError
from fercli.core.project import open_project
from fercli.core.rows import Face, Vote
from fercli.labels.matching import blind_code
from fercli.stages.labels.repeats import looks
from fercli.stages.labels.show import labels_show
from fercli.stages.labels.waiting import count_waiting
from fercli.web.serve import is_loopback, make_token, open_socket, own_names, shown_host
from tests.stages.labelled_page import make_project
from tests.web.browser import serving


def ask(link: str, path: str, body: object = None) -> dict[str, object]:
    base, _, token = link.partition("/#")
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Origin": base}
    request = urllib.request.Request(base + path, data, headers)  # noqa: S310  # a server of this test
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        found: dict[str, object] = json.loads(answer.read())
    return found


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_every_way_to_end_the_server_imports_the_votes(tmp_path: Path, name: str) -> None:
    if not hasattr(signal, name):
        pytest.skip(f"{name} is not known here")
    project = make_project(tmp_path / "mine")
    with serving(project.root, "--annotator", "maria", port=8830) as server:
        items = ask(server.link, "/api/next", {"window": "w1"})["items"]
        assert isinstance(items, list)
        ask(server.link, "/api/save", {"id": "vote-00001", "code": items[0]["code"], "label": "happy"})
        assert count_waiting(project) == 1
        server.process.send_signal(getattr(signal, name))
        assert server.process.wait(timeout=60) == 0
    assert [(vote.annotator, vote.label) for vote in open_project(project.root).rows(Vote)] == [("a1", "happy")]


def test_last_window_that_closes_imports_and_the_page_goes_on(tmp_path: Path) -> None:
    project = make_project(tmp_path / "mine")
    with serving(project.root, "--annotator", "maria", port=8830) as server:
        items = ask(server.link, "/api/next", {"window": "w1"})["items"]
        assert isinstance(items, list)
        ask(server.link, "/api/save", {"id": "vote-00001", "code": items[0]["code"], "label": "happy"})
        ask(server.link, "/api/leave", {"window": "w1"})
        pause = threading.Event()
        for _ in range(600):
            if count_waiting(project) == 0:
                break
            pause.wait(0.05)
        assert len(project.rows(Vote)) == 1
        ask(server.link, "/api/save", {"id": "vote-00002", "code": items[1]["code"], "label": "bored"})
        out = server.stop()
    assert "votes      2" in out
    assert len(project.rows(Vote)) == 2


def test_votes_outlive_kills_at_any_moment_and_imports_beside_them(tmp_path: Path) -> None:
    """Votes go out as fast as they are saved while the server is killed and `fer labels` imports; none is lost."""
    project = make_project(tmp_path / "mine", num_subjects=20, num_frames=60)
    saved: dict[str, str] = {}  # face -> label
    waiting: dict[str, object] | None = None
    rng = random.Random(7)
    for round_ in range(5):
        with serving(project.root, "--annotator", "maria", port=8830) as server:
            killer = threading.Timer(rng.uniform(0.2, 0.8), server.process.kill)
            importer = threading.Thread(target=labels_show, args=(project,))
            try:
                killer.start()
                importer.start()
                while True:
                    if waiting is None:
                        found = ask(server.link, "/api/next", {"window": f"w{round_}", "num": 1})["items"]
                        assert isinstance(found, list)
                        moment = datetime.now(UTC).isoformat()
                        label = rng.choice(("happy", "neutral", "bored"))
                        waiting = {
                            "id": f"vote-{len(saved):06d}",
                            "code": found[0]["code"],
                            "label": label,
                            "at": moment,
                        }
                    ask(server.link, "/api/save", waiting)
                    saved[str(waiting["code"])] = str(waiting["label"])
                    waiting = None
            except (OSError, http.client.HTTPException):
                pass  # it was killed
            finally:
                killer.join()
                importer.join()
    assert len(saved) > 10
    labels_show(project)
    labels_show(project)
    codes = {blind_code(face.face_id, 1): face.face_id for face in project.rows(Face)}
    found_votes = {vote.face_id: vote.label for vote in project.rows(Vote)}
    expected = {codes[code]: label for code, label in saved.items()}
    late = {codes[str(waiting["code"])]: str(waiting["label"])} if waiting else {}
    # The last one may have reached the disk without a word back; all others were called saved.
    assert found_votes in (expected, expected | late)
    assert len(project.rows(Vote)) == len(found_votes)
    kept = [look for look in looks(project) if not look.is_second]
    assert len({(look.face_id, look.at) for look in kept}) == len(kept) == len(found_votes)


def test_token_stands_in_no_file_of_the_project(tmp_path: Path) -> None:
    project = make_project(tmp_path / "mine")
    with serving(project.root, "--annotator", "maria", port=8830) as server:
        tokens = [link.partition("#")[2].encode() for link in server.links.values()]
        assert len(set(tokens)) == 2  # maria's, and the owner's for the review
        items = ask(server.link, "/api/next", {"window": "w1"})["items"]
        assert isinstance(items, list)
        ask(server.link, "/api/save", {"id": "vote-00001", "code": items[0]["code"], "label": "happy"})
        server.stop()
    for path in project.root.rglob("*"):
        if path.is_file():
            assert not any(token in path.read_bytes() for token in tokens), path
    names = [path for path in project.root.rglob("*") if path.is_file() and b"maria" in path.read_bytes()]
    assert [path.name for path in names] == ["annotators.json"]


def test_demo_opens_the_page_on_the_drawn_class(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    words = ("demo", str(folder), "--annotate", "--subjects", "3", "--seconds", "2s", "--workers", "1")
    with serving(folder, *words) as server:
        items = ask(server.link, "/api/next", {"window": "w1"})["items"]
        assert isinstance(items, list)
        assert len(items) > 3
        server.stop()
    assert "train" not in " ".join(server.lines)


def test_next_port_is_taken_when_one_is_in_use() -> None:
    first = open_socket("127.0.0.1", 8860)
    second = open_socket("127.0.0.1", first.getsockname()[1])
    with first, second:
        assert second.getsockname()[1] > first.getsockname()[1]


def test_host_of_another_machine_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot serve"):
        open_socket("192.0.2.1", 8860)


def test_no_free_port_is_said() -> None:
    with open_socket("127.0.0.1", 65_535), pytest.raises(UsageError, match=r"cannot serve on .*, port 65535"):
        open_socket("127.0.0.1", 65_535)


ANYWHERE = "0.0.0.0"  # noqa: S104  # nothing is bound to it


def test_names_of_this_machine() -> None:
    assert is_loopback("127.0.0.1")
    assert not is_loopback(ANYWHERE)
    assert own_names("127.0.0.1") == {"127.0.0.1", "localhost", "[::1]"}
    assert socket.gethostname().lower() in own_names(ANYWHERE)
    assert shown_host("::1") == "[::1]"
    assert len({make_token() for _ in range(100)}) == 100
