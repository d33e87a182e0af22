from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from fercli.core.project import Project
from fercli.core.rows import Label, Prediction, Vote
from fercli.core.runs import list_runs
from fercli.core.tables import write_table
from fercli.stages.annotate import AnnotateSettings
from fercli.stages.annotate.desk import Desk
from fercli.stages.annotate.held_out import held_out
from fercli.stages.annotate.review import ReviewDesk
from fercli.stages.annotate.seating import fill
from fercli.stages.labels.waiting_work import take_waiting
from fercli.web.app import Hosts, Visitor, build_app
from tests.stages.labelled_page import HOST, OWN, Page
from tests.stages.trained import CLASSES, RUN_ID, trained_project

FACE = "lesson/f000005-0"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three annotators agree on all, but a2 calls the first happy face bored; the model errs clearly on one face."""
    project = trained_project(tmp_path / "mine")
    votes = [
        Vote(one.face_id, one.annotator, "bored", "bored") if (one.face_id, one.annotator) == (FACE, "a2") else one
        for one in project.rows(Vote)
    ]
    project.write_rows(votes, Vote)
    return project


def predict(project: Project, wrong: str = FACE) -> None:
    rows = []
    for label in project.rows(Label):
        number = int(label.face_id[8:14])
        if number >= 4:
            word = "bored" if label.face_id == wrong else label.label
            shares = {name: 0.9 if name == word else 0.05 for name in CLASSES}
            rows.append(Prediction(label.face_id, f"s{number:03d}", "lesson", "test", label.label, word, shares))
    write_table(list_runs(project.root)[0].folder / "eval/test/predictions.csv", rows, Prediction, CLASSES)


class Owner:
    """The review as the owner's browser sees it."""

    def __init__(self, project: Project) -> None:
        desk = Desk(project, {"a1": "a1"})
        fill(desk, AnnotateSettings())
        visitors = {"mine": Visitor("", is_owner=True), "other": Visitor("a1")}
        app = build_app(desk, visitors, Hosts(frozenset({"127.0.0.1"}), 8750), ReviewDesk(desk))
        self.client = TestClient(app, base_url=f"http://{HOST}")

    def get(self, path: str, who: str = "mine") -> Any:
        return self.client.get(path, headers={"Authorization": f"Bearer {who}"})

    def cases(self, **asked: str) -> Any:
        own = {"Authorization": "Bearer mine", **OWN}
        return self.client.post("/api/review/cases", json=asked, headers=own)


@pytest.mark.parametrize("path", ["/api/review", f"/api/review/face/{FACE}", f"/api/review/crop/{FACE}"])
def test_annotators_may_not_review(project: Project, path: str) -> None:
    owner = Owner(project)
    assert owner.get(path, "other").status_code == 403
    assert owner.get(path).status_code == 200


def test_overview_counts_disagreements_of_people_and_of_the_model(project: Project) -> None:
    predict(project)
    found = Owner(project).get("/api/review").json()
    assert [(pair["first"], pair["second"], pair["num_common"], pair["num_apart"]) for pair in found["pairs"]] == [
        ("a1", "a2", 18, 1), ("a2", "a3", 18, 1), ("a1", "a3", 18, 0),
    ]  # fmt: skip
    assert found["words"] == list(CLASSES)
    assert found["people"] == [[17, 0, 1], [0, 18, 0], [0, 0, 18]]
    assert found["model"] == [[1, 0, 1], [0, 2, 0], [0, 0, 2]]
    assert RUN_ID in found["model_source"]
    assert found["num_suspicious"] == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "pair", "first": "a1", "second": "a2"},
        {"kind": "people", "row": "happy", "column": "bored"},
        {"kind": "model", "row": "happy", "column": "bored"},
        {"kind": "suspicious"},
    ],
    ids=lambda asked: asked["kind"],
)
def test_every_figure_leads_to_its_faces(project: Project, asked: dict[str, str]) -> None:
    predict(project)
    found = Owner(project).cases(**asked).json()
    assert found["total"] == 1
    assert found["faces"][0]["face"] == FACE
    assert found["faces"][0]["votes"] == {"a1": "happy", "a2": "bored", "a3": "happy"}
    assert (found["faces"][0]["predicted"], found["faces"][0]["probability"]) == ("bored", 0.9)


@pytest.mark.parametrize("asked", [{}, {"kind": "none"}, {"kind": "pair"}, {"kind": "model", "row": "happy"}])
def test_figure_that_is_not_there_is_refused(project: Project, asked: dict[str, str]) -> None:
    assert Owner(project).cases(**asked).status_code == 404


def test_face_has_its_votes_status_and_comments(project: Project) -> None:
    page = Page(project, "a9")
    code = next(code for code in page.next("a9") if page.face(code, "a9") == FACE)
    page.vote(code, "happy", "a9", comment="eyes closed")
    take_waiting(project)
    found = Owner(project).get(f"/api/review/face/{FACE}").json()
    assert found["votes"]["a9"] == "happy"
    assert found["comments"] == [{"annotator": "a9", "text": "eyes closed"}]
    assert (found["status"], found["subject"]) == ("ok", "s005")
    assert Owner(project).cases(kind="comments").json()["total"] == 1


@pytest.mark.parametrize("face", ["nobody", "../../fer.toml", "lesson/f000005-0/../../x"])
def test_unknown_face_is_refused(project: Project, face: str) -> None:
    assert Owner(project).get(f"/api/review/face/{face}").status_code == 404
    assert Owner(project).get(f"/api/review/crop/{face}").status_code == 404


def test_figures_are_those_of_the_tables_when_the_page_is_loaded_again(project: Project) -> None:
    owner = Owner(project)
    assert owner.get("/api/review").json()["num_votes"] == 54
    project.write_rows(project.rows(Vote)[:10], Vote)
    assert owner.get("/api/review").json()["num_votes"] == 10


def test_without_an_evaluated_run_the_people_are_shown_alone(project: Project) -> None:
    found = Owner(project).get("/api/review").json()
    assert found["model_source"] == ""
    assert found["num_suspicious"] == 0


def test_predictions_of_all_folds_go_before_those_of_one_run(project: Project) -> None:
    import shutil

    predict(project)
    first = list_runs(project.root)[0].folder
    config = first / "config.toml"
    base = config.read_text(encoding="utf-8") if config.exists() else "[train]\n"
    for fold in (0, 1):
        folder = Path(shutil.copytree(first, first.with_name(f"2026010{fold + 2}-000000-drf-msam")))
        text = (folder / "run.json").read_text(encoding="utf-8").replace(RUN_ID, folder.name)
        (folder / "run.json").write_text(text, encoding="utf-8")
        (folder / "config.toml").write_text(
            base.replace("[train]", f'[train]\nsplit = "folds"\nfold = {fold}'), encoding="utf-8"
        )
        row = Prediction(
            f"lesson/f00000{fold}-0", "s", "lesson", "test", "happy", "happy", dict.fromkeys(CLASSES, 1 / 3)
        )
        write_table(folder / "eval/test/predictions.csv", [row], Prediction, CLASSES)
    found = held_out(project)
    assert set(found.rows) == {"lesson/f000000-0", "lesson/f000001-0"}
    assert found.source == "2 folds of split 'folds', drf-msam"
