"""What a model makes of the faces: as suggestions at the page, in exports, and as an order; how votes are marked."""

import json
from pathlib import Path
from typing import Any

import pytest

from fercli.core.errors import InputError, MissingStageError
from fercli.core.progress import SILENT
from fercli.core.project import Project
from fercli.core.rows import Face, Label, Vote
from fercli.labels.order import chosen_by_doubt
from fercli.stages.labels.agreement import LabelsAgreementSettings, labels_agreement
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.labels.suggest import LabelsSuggestSettings, labels_suggest
from fercli.stages.labels.waiting_work import take_waiting
from fercli.stages.predictions import predict_faces
from fercli.stages.split import SplitSettings, split
from tests.stages.labelled_page import Page, make_project
from tests.stages.trained import CLASSES, RUN_ID, trained_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a run, and no votes or labels yet."""
    project = trained_project(tmp_path / "mine")
    project.write_rows([], Vote)
    project.write_rows([], Label)
    return project


def marks(project: Project) -> list[tuple[str, str]]:
    return [(vote.suggested, vote.chosen) for vote in project.rows(Vote)]


def test_predictions_of_all_faces_are_computed_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    found = predict_faces(project, "latest", SILENT)
    assert set(found.rows) == {face.face_id for face in project.rows(Face)}
    assert all(sum(row) == pytest.approx(1, abs=1e-5) for row in found.rows.values())
    assert found.classes == CLASSES
    best = found.best("lesson/f000000-0")
    assert best is not None
    assert best[1] == max(found.rows["lesson/f000000-0"])
    monkeypatch.setattr("fercli.stages.predictions.work.predict", None)
    again = predict_faces(project, RUN_ID, SILENT)
    assert {name: pytest.approx(row, abs=1e-5) for name, row in again.rows.items()} == found.rows


def test_face_without_a_readable_crop_has_no_prediction(project: Project) -> None:
    (project.root / project.rows(Face)[0].path).write_bytes(b"no picture")
    found = predict_faces(project, "", SILENT)
    assert found.num_unreadable == 1
    assert len(found.rows) == len(project.rows(Face)) - 1
    assert found.best(project.rows(Face)[0].face_id) is None


def test_run_of_other_classes_is_refused(project: Project) -> None:
    text = (project.root / "fer.toml").read_text(encoding="utf-8").replace("happy", "cheerful")
    (project.root / "fer.toml").write_text(text, encoding="utf-8")
    from fercli.core.project import open_project

    with pytest.raises(InputError, match="which is not a class here"):
        predict_faces(open_project(project.root), "", SILENT)


def test_no_suggestion_unless_asked(project: Project) -> None:
    page = Page(project)
    items = page.post("/api/next", {"window": "w"}).json()["items"]
    assert all(set(item) == {"code"} for item in items)
    assert "suggestion" not in page.vote(items[0]["code"], "happy").json()
    take_waiting(project)
    assert marks(project) == [("", "")]


def test_suggestion_before_the_vote_marks_it(project: Project) -> None:
    page = Page(project, suggest="latest", suggest_when="before")
    assert page.get("/api/session").json()["suggests"] == "before"
    item = page.post("/api/next", {"window": "w"}).json()["items"][0]
    found = predict_faces(project, "", SILENT).best(page.face(item["code"]))
    assert found is not None
    assert item["suggestion"] == {"label": found[0], "probability": pytest.approx(found[1], abs=0.001)}
    page.vote(item["code"], "happy")
    take_waiting(project)
    assert marks(project) == [("before", "")]


def test_suggestion_after_the_vote_marks_only_a_vote_that_is_changed(project: Project) -> None:
    page = Page(project, suggest=RUN_ID)
    items = page.post("/api/next", {"window": "w"}).json()["items"]
    assert all(set(item) == {"code"} for item in items)
    kept, changed = items[0]["code"], items[1]["code"]
    assert page.vote(kept, "happy").json()["suggestion"]["label"] in CLASSES
    page.vote(changed, "happy")
    page.vote(changed, "bored")
    take_waiting(project)
    found = {vote.face_id: (vote.label, vote.suggested) for vote in project.rows(Vote)}
    assert found == {page.face(kept): ("happy", ""), page.face(changed): ("bored", "after")}


def test_vote_after_a_kill_still_knows_that_the_suggestion_was_seen(project: Project) -> None:
    page = Page(project, suggest="latest")
    code = page.next()[0]
    saved = page.vote(code, "happy").json()["saved"]
    page.post("/api/save", {"id": "undo-00001", "code": code, "undo": saved})
    again = Page(project, suggest="latest")
    again.vote(code, "bored", id="vote-00009")
    take_waiting(project)
    assert marks(project) == [("after", "")]


def test_most_uncertain_faces_come_first_and_are_marked(project: Project) -> None:
    page = Page(project, order="uncertain")
    rows = predict_faces(project, "", SILENT).rows
    shown = [page.face(code) for code in page.next()]
    assert sorted(shown) == sorted(rows)
    # The first round takes one face of each subject: there are six, with three faces each.
    subject = {face.face_id: face.subject_id for face in project.rows(Face)}
    rounds = [shown[start : start + 6] for start in (0, 6, 12)]
    assert all(len({subject[face_id] for face_id in one}) == 6 for one in rounds)
    doubt = [max(rows[face_id]) for face_id in rounds[0]]
    assert doubt == pytest.approx(sorted(doubt), abs=0.02)  # entropy and the largest share order nearly alike
    page.vote(page.next()[0], "happy")
    take_waiting(project)
    assert marks(project) == [("", "uncertain")]


def test_order_by_doubt_needs_a_run(tmp_path: Path) -> None:
    project = make_project(tmp_path / "mine")
    with pytest.raises(MissingStageError, match="no finished run"):
        Page(project, order="uncertain")


def votes_with(**marked: Any) -> list[Vote]:
    """Two annotators on six faces: alike on the marked ones, apart on the others."""
    faces = [f"lesson/f{number:06d}-0" for number in range(6)]
    votes = []
    for place, face_id in enumerate(faces):
        more = marked if place < 3 else {}
        labels = ("happy", "happy") if place < 3 else ("happy", "bored")
        votes += [Vote(face_id, who, label, label, **more) for who, label in zip(("a1", "a2"), labels, strict=True)]
    return votes


def test_agreement_leaves_out_faces_that_were_chosen_by_doubt(project: Project) -> None:
    project.write_rows(votes_with(chosen="uncertain"), Vote)
    result = labels_agreement(project, LabelsAgreementSettings())
    assert (result.num_uncertain, result.num_faces) == (6, 3)
    assert result.coefficients["percent"]["value"] == 0
    assert "6 votes left out" in result.warnings[-1]


def test_agreement_is_told_with_and_without_suggestions(project: Project) -> None:
    project.write_rows(votes_with(suggested="before"), Vote)
    result = labels_agreement(project, LabelsAgreementSettings())
    assert {name: part["num_votes"] for name, part in result.by_suggestion.items()} == {"unaided": 6, "suggested": 6}
    # By hand: with one pair of classes apart on each of three faces, alpha = 1 - (n-1) * 1 / (2 n1 n2 / n) ... = -2/3.
    assert result.by_suggestion["unaided"]["krippendorff"] == pytest.approx(1 - 5 * 6 / (2 * 3 * 3))
    assert "6 votes were given after a model's suggestion was seen" in result.warnings[-1]


def test_face_that_was_also_shown_by_chance_is_a_fair_sample() -> None:
    votes = [Vote("f1", "a1", "x", "x", chosen="uncertain"), Vote("f1", "a2", "x", "x"),
             Vote("f2", "a1", "x", "x", chosen="uncertain")]  # fmt: skip
    assert chosen_by_doubt(votes) == {"f2"}


def test_split_warns_of_held_out_faces_that_were_chosen_by_doubt(project: Project) -> None:
    faces = project.rows(Face)
    labels = [CLASSES[place % 3] for place in range(len(faces))]
    votes = [
        Vote(face.face_id, "a1", label, label, chosen="uncertain") for face, label in zip(faces, labels, strict=True)
    ]
    project.write_rows(votes, Vote)
    project.write_rows([Label(vote.face_id, vote.label, "ok", "majority", 2) for vote in votes], Label)
    result = split(project, SplitSettings(name="by-doubt"))
    number = result.parts["val"] + result.parts["test"]
    assert any(f"{number} validation and test faces were labelled because" in text for text in result.warnings)


def test_suggestions_in_an_export_are_predictions_and_no_votes(project: Project, tmp_path: Path) -> None:
    result = labels_suggest(project, LabelsSuggestSettings(), "")
    assert (result.run, result.num_faces, result.num_suggested) == (RUN_ID, 18, 18)
    path = project.root / result.folder / "tasks.json"
    tasks = json.loads(path.read_text(encoding="utf-8"))
    found = predict_faces(project, "", SILENT).best(tasks[0]["data"]["face_id"])
    assert found is not None
    (entry,) = tasks[0]["predictions"]
    assert entry["model_version"] == RUN_ID
    assert entry["score"] == pytest.approx(found[1], abs=1e-3)
    assert entry["result"][0]["value"]["choices"] == [found[0]]
    assert "annotations" not in tasks[0]
    assert len(list((project.root / result.folder / "images").iterdir())) == 18
    # As they are, they are no votes; what is submitted is one.
    with pytest.raises(InputError):
        labels_import(project, LabelsImportSettings(), [path])
    tasks[0]["annotations"] = [{"id": 1, "completed_by": 7, "result": entry["result"]}]
    submitted = tmp_path / "export.json"
    submitted.write_text(json.dumps(tasks[:1]), encoding="utf-8")
    assert labels_import(project, LabelsImportSettings(), [submitted]).num_votes == 1


def test_only_what_is_probable_enough_is_suggested(project: Project) -> None:
    result = labels_suggest(project, LabelsSuggestSettings(min_probability=1.0), "")
    assert (result.num_faces, result.num_suggested) == (18, 0)
    assert labels_suggest(project, LabelsSuggestSettings(min_probability=1.0), "").is_unchanged
