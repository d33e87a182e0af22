import json
from pathlib import Path
from typing import Any

import pytest

from fercli.core.errors import ProjectError, SettingsError, UsageError
from fercli.core.project import Project
from fercli.core.rows import Label, Vote
from fercli.stages.annotate import AnnotateSettings, annotate
from fercli.stages.labels.archive import read_imports
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.labels.repeats import self_agreement
from fercli.stages.labels.show import labels_show
from fercli.stages.labels.waiting import count_waiting, journal_path, page_lock
from fercli.stages.labels.waiting_work import take_waiting
from tests.cli.run import run_fer
from tests.stages.labelled_page import Page, make_project
from tests.stages.voted import all_votes, face, write_votes


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "mine")


def votes_of(project: Project) -> dict[str, str]:
    return {vote.face_id: vote.label for vote in project.rows(Vote)}


def test_vote_is_on_disk_when_it_is_called_saved(project: Project) -> None:
    page = Page(project)
    code = page.next()[0]
    answer = page.vote(code, "happy").json()
    assert answer["saved"] == "vote-a1-0001"
    assert (answer["done"], answer["total"]) == (1, 12)
    lines = journal_path(project, "a1").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["face_id"] for line in lines] == [page.face(code)]


def test_page_shows_every_face_once_and_no_face_twice(project: Project) -> None:
    page = Page(project)
    seen: list[str] = []
    while codes := page.next(num=5):
        seen.append(page.face(codes[0]))
        page.vote(codes[0], "bored")
    assert sorted(seen) == sorted(set(seen))
    assert len(seen) == 12


def test_order_is_not_that_of_the_video_unless_asked(project: Project) -> None:
    shuffled, filmed = (Page(project, order=order) for order in ("shuffled", "video"))
    faces = [[page.face(code) for code in page.next()] for page in (shuffled, filmed)]
    assert faces[0] != faces[1]
    assert sorted(faces[0]) == sorted(faces[1])
    # As filmed: one person after the other.
    assert faces[1][:4] == [face(frame, 0) for frame in range(4)]


def test_two_windows_of_one_annotator_share_the_faces(project: Project) -> None:
    page = Page(project)
    first, second = page.next(window="w1", num=5), page.next(window="w2", num=20)
    assert len(first) == 5
    assert len(second) == 7
    assert not set(first) & set(second)
    page.post("/api/leave", {"window": "w1"})
    assert set(page.next(window="w2", held=tuple(second), num=20)) == set(first)


def test_two_annotators_do_not_see_each_other(project: Project) -> None:
    page = Page(project, "a1", "a2")
    codes = page.next("a1"), page.next("a2")
    assert sorted(codes[0]) == sorted(codes[1])
    assert codes[0] != codes[1]
    page.vote(codes[0][0], "happy", "a1")
    assert page.next("a2") == codes[1]
    assert page.get("/api/session", "a2").json()["done"] == 0
    assert "happy" not in page.post("/api/next", {"window": "w"}, "a2").text


def test_undone_face_comes_again_and_its_vote_is_gone(project: Project) -> None:
    page = Page(project)
    code = page.next()[0]
    saved = page.vote(code, "happy").json()["saved"]
    undone = {"id": "undo-00001", "code": code, "undo": saved}
    assert page.post("/api/save", undone).json()["done"] == 0
    assert page.next()[0] == code
    take_waiting(project)
    assert votes_of(project) == {}


def test_vote_that_is_undone_after_its_import_is_withdrawn(project: Project) -> None:
    page = Page(project)
    one, other = page.next()[:2]
    with page_lock(project):
        saved = page.vote(one, "happy").json()["saved"]
        page.vote(other, "bored")
        take_waiting(project)
        assert len(votes_of(project)) == 2
        page.post("/api/save", {"id": "undo-00001", "code": one, "undo": saved})
        take_waiting(project)
    assert votes_of(project) == {page.face(other): "bored"}
    assert [label.face_id for label in project.rows(Label)] == [page.face(other)]


@pytest.mark.parametrize(
    "body",
    [{"label": "joyful"}, {"label": None}, {"id": "short"}, {"id": 7}, {"code": "x000000000000"}, {"code": None},
     {"id": "../../../evil-id"}, {"undo": "no such vote!"}],
    ids=str,
)  # fmt: skip
def test_what_no_page_of_ours_says_is_refused(project: Project, body: dict[str, Any]) -> None:
    page = Page(project)
    answer = page.post("/api/save", {"id": "vote-00001", "code": page.next()[0], "label": "happy", **body})
    assert answer.status_code == 400
    assert not journal_path(project, "a1").exists()


def test_vote_of_tomorrow_counts_as_of_now(project: Project) -> None:
    page = Page(project)
    page.vote(page.next()[0], "happy", at="2999-01-01T00:00:00Z")
    assert json.loads(journal_path(project, "a1").read_text(encoding="utf-8"))["at"] < "2990"


def test_closed_page_is_one_import_with_its_raw_file(project: Project) -> None:
    page = Page(project, "a1", "a2")
    for annotator in ("a1", "a2"):
        for code in page.next(annotator):
            page.vote(code, "happy", annotator, unsure=True, comment="a remark")
    result = take_waiting(project)
    assert result is not None
    assert result.num_votes == 24
    assert result.annotators == {"a1": 12, "a2": 12}
    (entry,) = read_imports(project)
    assert (project.root / entry.kept).read_text(encoding="utf-8").count("a remark") == 24
    assert {vote.source for vote in project.rows(Vote)} == {"import-1"}
    assert {vote.confidence for vote in project.rows(Vote)} == {0.5}
    assert {label.label for label in project.rows(Label)} == {"happy"}
    assert not list((project.root / ".fer/running/annotate").glob("*.jsonl"))
    assert take_waiting(project) is None


def test_vote_sent_again_after_its_import_is_not_doubled(project: Project) -> None:
    page = Page(project)
    sent = {"id": "vote-00001", "code": page.next()[0], "label": "happy", "at": "2026-01-01T00:00:00.5Z"}
    page.post("/api/save", sent)
    take_waiting(project)
    again = Page(project)
    assert again.post("/api/save", sent).json()["saved"] == "vote-00001"
    assert count_waiting(project) == 0
    assert take_waiting(project) is None


def test_vote_that_waited_in_the_browser_counts_though_its_face_is_no_longer_listed(project: Project) -> None:
    page = Page(project)
    code = page.next()[0]
    name = page.face(code)
    labels_import(project, LabelsImportSettings(), [write_votes(project.root / "v.csv", {name: "hh"}, "yz")])
    short = Page(project, only="unlabelled")
    assert name not in [short.face(one) for one in short.next()]
    assert short.vote(code, "bored").status_code == 200
    take_waiting(project)
    assert ("a1", "bored") in {(vote.annotator, vote.label) for vote in project.rows(Vote) if vote.face_id == name}


def test_voting_goes_on_where_it_was(project: Project) -> None:
    page = Page(project)
    codes = page.next()
    for code in codes[:5]:
        page.vote(code, "happy")
    killed = Page(project)
    assert killed.next() == codes[5:]
    take_waiting(project)
    closed = Page(project)
    assert closed.next() == codes[5:]
    assert closed.get("/api/session").json()["done"] == 5


def test_skipped_face_waits_for_the_end(project: Project) -> None:
    page = Page(project)
    codes = page.next()
    page.vote(codes[0], "")
    assert page.next() == codes[1:]
    for code in codes[1:]:
        page.vote(code, "happy")
    assert page.next() == []
    again = page.post("/api/next", {"window": "w1", "again": True}).json()
    assert [item["code"] for item in again["items"]] == codes[:1]


def test_repeats_tell_how_often_an_annotator_agrees_with_themselves_over_imports(project: Project) -> None:
    page = Page(project, blind=0.5)
    codes = page.next()
    assert len(codes) == 18
    seen: list[str] = []
    for code in codes[:14]:
        page.vote(code, "happy" if page.face(code) not in seen else "bored")
        seen.append(page.face(code))
    take_waiting(project)
    later = Page(project, blind=0.5)
    assert later.next() == codes[14:]
    for code in later.next():
        later.vote(code, "happy")
        seen.append(later.face(code))
    take_waiting(project)
    num_early = len(seen[:14]) - len(set(seen[:14]))
    assert self_agreement(project) == {"a1": (6, 6 - num_early)}


def test_next_labels_command_imports_what_waits(project: Project) -> None:
    page = Page(project)
    with page_lock(project):
        page.vote(page.next()[0], "happy")
        assert count_waiting(project) == 1
        assert labels_show(project).num_votes == 1
        assert count_waiting(project) == 0
        page.vote(page.next()[0], "bored")
        assert labels_show(project).num_votes == 2
    assert len(read_imports(project)) == 2


def test_dry_run_imports_nothing(project: Project) -> None:
    page = Page(project)
    page.vote(page.next()[0], "happy")
    labels_import(project, LabelsImportSettings(), [write_votes(project.root / "v.csv", all_votes(3, 4))], dry_run=True)
    assert count_waiting(project) == 1


def test_votes_go_on_waiting_when_their_class_is_gone(project: Project, tmp_path: Path) -> None:
    page = Page(project)
    page.vote(page.next()[0], "happy")
    text = (project.root / "fer.toml").read_text(encoding="utf-8")
    (project.root / "fer.toml").write_text(text.replace("happy", "cheerful"), encoding="utf-8")
    from fercli.core.project import open_project

    notes: list[str] = []
    labels_show(open_project(project.root), progress=Notes(notes))
    assert notes == [notes[0]]
    assert "1 vote of the labelling page cannot be imported yet" in notes[0]
    assert count_waiting(project) == 1


class Notes:
    """Progress that keeps its notes."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    def start(self, task: str, total: int | None = None) -> None: ...

    def advance(self, num_items: int = 1, **fields: str) -> None: ...

    def note(self, text: str) -> None:
        self._notes.append(text)

    def add_row(self, cells: Any) -> None: ...


def test_ties_are_resolved_with_their_counts(project: Project) -> None:
    votes = {face(0, 0): "hb", face(1, 0): "hh", face(2, 0): "bn"}
    labels_import(project, LabelsImportSettings(), [write_votes(project.root / "v.csv", votes)])
    page = Page(project, "adjudicator", only="ties")
    items = page.post("/api/next", {"window": "w1"}, "adjudicator").json()["items"]
    assert [item["counts"] for item in items] == [{"happy": 1, "bored": 1}, {"bored": 1, "neutral": 1}]
    page.vote(items[0]["code"], "bored", "adjudicator")
    take_waiting(project)
    label = next(label for label in project.rows(Label) if label.face_id == face(0, 0))
    assert (label.label, label.status, label.num_votes) == ("bored", "adjudicated", 2)


def test_context_has_the_same_person_just_before_and_after(project: Project) -> None:
    page = Page(project, order="video")
    codes = page.next()
    found = page.get(f"/api/context/{codes[1]}").json()
    assert found["near"] == [None, None, None]  # make_faces knows no times
    crops = [page.get(f"/api/near/{codes[1]}/{place}").content for place in range(3)]
    assert crops == [page.get(f"/api/crop/{code}").content for code in (codes[0], codes[2], codes[3])]
    assert page.get(f"/api/near/{codes[1]}/3").status_code == 404


def test_guide_has_definitions_in_the_order_of_the_classes(project: Project) -> None:
    guide = {"bored": "Looks away.", "happy": {"text": "Smiles.", "examples": [face(0, 0)]}}
    page = Page(project, guide=guide)
    assert page.get("/api/session").json()["guide"] == [
        {"label": "happy", "text": "Smiles.", "num_examples": 1},
        {"label": "bored", "text": "Looks away.", "num_examples": 0},
    ]
    assert page.get("/api/example/0/0").content == (project.root / "faces/lesson-1/f000000-0.png").read_bytes()
    assert page.get("/api/example/0/1").status_code == 404


@pytest.mark.parametrize(
    ("guide", "message"),
    [
        ({"hapy": "Smiles."}, "'hapy' is not a class"),
        ({"happy": {"words": "Smiles."}}, "'happy' is not a definition"),
        ({"happy": {"text": "", "examples": "one"}}, "not a list of face ids"),
        ({"happy": {"text": "", "examples": ["../../secret"]}}, "is not a face of this project"),
    ],
)
def test_guide_that_cannot_be_meant_is_refused(project: Project, guide: dict[str, Any], message: str) -> None:
    page = Page(project, guide=guide)
    assert isinstance(page.desk.failure, SettingsError)
    assert message in page.desk.failure.message
    assert message in page.get("/api/session").json()["error"]


def test_second_page_of_one_project_is_refused(project: Project) -> None:
    with page_lock(project), pytest.raises(ProjectError, match="open already"):
        annotate(project, AnnotateSettings(browser=False))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"only": "ties", "annotator": ("maria",)}, "by one person"),
        ({"only": "ties", "blind": 0.1}, "neither"),
        ({"only": "ties", "suggest": "latest"}, "neither"),
        ({"annotator": ("maria", "maria")}, "twice"),
    ],
)
def test_options_that_do_not_go_together_are_refused(project: Project, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        annotate(project, AnnotateSettings(**settings), dry_run=True)


def test_dry_run_says_what_would_be_shown(project: Project) -> None:
    result = annotate(project, AnnotateSettings(annotator=("maria", "ben")), dry_run=True)
    assert result.plan == ("show 12 faces to maria, ben, shuffled",)
    assert not (project.root / "labels/imports/annotators.json").exists()


def test_status_counts_the_votes_that_wait(project: Project) -> None:
    page = Page(project)
    for code in page.next()[:3]:
        page.vote(code, "happy")
    code, out, err = run_fer("status", "-p", project.root)
    assert (code, err) == (0, "")
    assert "3 votes of the labelling page saved and not imported yet: fer labels" in out
    assert count_waiting(project) == 3
