"""`fer eval --on`: a run on another project's labels."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from fercli.core.errors import InputError, ProjectError
from fercli.core.project import Project, create_project, open_project
from fercli.core.rows import Face, Label, Prediction, SplitRow
from fercli.core.runs import find_run, read_headline
from fercli.core.tables import read_table, write_table
from fercli.stages.evaluate import EvalSettings, evaluate
from fercli.stages.transfer import TransferResult, transfer
from fercli.stages.transfer.matrix import score_on
from fercli.stages.transfer.page import transfer_tables
from fercli.vision.images import write_png
from tests.cli.run import run_fer
from tests.drawn import must, read_csv
from tests.stages.trained import RUN_ID, drawn_face, trained_project

THEIRS = ("happiness", "neutral", "sleepy", "fear")


def other_project(root: Path) -> Project:
    """Six subjects with a face of each class; four are tested; the first face is one that the run was trained on."""
    project = create_project(root, name="theirs", classes=THEIRS)
    faces, labels, rows = [], [], []
    for number in range(6):
        for place, emotion in enumerate(THEIRS):
            face_id = f"clip/f{number:06d}-{place}"
            path = project.root / f"faces/{face_id}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, drawn_face(number + 20 if (number, place) != (2, 0) else 0, min(place, 2)))
            faces.append(
                Face(face_id, f"clip/f{number:06d}", "clip", path=f"faces/{face_id}.png", subject_id=f"p{number}")
            )
            labels.append(Label(face_id, emotion, "ok", "majority", 2, 1.0, 0.0, {emotion: 1.0}))
            rows.append(SplitRow(face_id, "test" if number > 1 else "train"))
    project.write_rows(faces, Face)
    project.write_rows(labels, Label)
    write_table(project.split_path("default"), rows, SplitRow)
    return project


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Project]:
    root = tmp_path_factory.mktemp("transfer")
    return trained_project(root / "mine"), other_project(root / "theirs")


GIVEN = ["sleepy=bored,fear="]


def on(both: tuple[Project, Project], **more: object) -> TransferResult:
    mine, theirs = both
    return transfer(mine, EvalSettings(), theirs.root, "", GIVEN, **more)


def rows_of(project: Project, result: TransferResult) -> list[Prediction]:
    place = next(path for path in result.outputs if path.endswith("predictions.csv"))
    return read_table(project.root / place, Prediction)


def test_the_test_set_of_the_other_project_is_scored_in_mapped_classes(both: tuple[Project, Project]) -> None:
    result = on(both)
    rows = rows_of(both[0], result)
    assert {row.face_id.split("-")[0] for row in rows} == {f"clip/f{number:06d}" for number in (2, 3, 4, 5)}
    assert {row.label for row in rows} == {"happy", "neutral", "bored"}
    assert (result.num_faces, result.num_left_out, result.faces, result.split_name) == (12, 4, "test", "default")
    share = accuracy_score([row.label for row in rows], [row.predicted for row in rows])
    assert result.accuracy["value"] == pytest.approx(share, abs=1e-12)
    said = "\n".join(result.warnings)
    assert "The test set of split 'default' of 'theirs' is scored; --all-faces scores all of them." in said
    assert "Classes matched by spelling: happiness = happy." in said
    assert "Left out: fear (4 faces)." in said
    assert on(both).is_unchanged


def test_crops_of_the_training_are_counted_and_scores_without_them_are_given(both: tuple[Project, Project]) -> None:
    result = on(both)
    rest = [row for row in rows_of(both[0], result) if row.face_id != "clip/f000002-0"]
    assert result.num_seen == 1
    share = np.mean([row.label == row.predicted for row in rest])
    assert result.without_seen is not None
    assert result.without_seen["accuracy"]["value"] == pytest.approx(share, abs=1e-12)
    assert any("1 of 12 faces has the same crop" in text for text in result.warnings)


def test_the_report_shows_it_in_a_table_of_its_own(both: tuple[Project, Project]) -> None:
    result = on(both)
    (table,) = transfer_tables(find_run(both[0].root))
    row = next(row for row in table.rows if row[:3] == ("theirs", "test", "12"))
    assert row[3:5] == ("4", "1")
    assert row[5].startswith(f"{result.accuracy['value']:.2%}")


def test_all_faces_are_scored_where_asked_for_and_said(both: tuple[Project, Project]) -> None:
    result = on(both, all_faces=True)
    assert (result.num_faces, result.faces) == (18, "all")
    assert "All labelled faces of 'theirs' are scored (--all-faces)." in result.warnings


def test_it_is_never_taken_for_the_runs_own_score(both: tuple[Project, Project]) -> None:
    mine, _ = both
    on(both)
    run = find_run(mine.root)
    assert read_headline(run, "test") is None
    assert not (run.folder / "eval").exists()
    evaluate(mine, EvalSettings())
    before = (run.folder / "eval/test/metrics.json").read_bytes()
    transfer(mine, EvalSettings(), both[1].root, "", GIVEN, force=True)
    assert (run.folder / "eval/test/metrics.json").read_bytes() == before
    shutil.rmtree(run.folder / "eval")


def test_probabilities_of_joined_classes_are_summed(both: tuple[Project, Project]) -> None:
    mine, theirs = both
    plain = {row.face_id: row for row in rows_of(mine, on(both))}
    words = ["happiness=happy,happiness=neutral,neutral=happy,sleepy=bored,fear="]
    joined = rows_of(mine, transfer(mine, EvalSettings(), theirs.root, "", words))
    for row in joined:
        own = plain[row.face_id].probabilities
        assert row.probabilities["bored"] == pytest.approx(own["bored"], abs=2e-6)
        assert sum(row.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
    assert {row.label for row in joined} == {"happy/neutral", "bored"}


def test_crops_that_were_cut_otherwise_are_refused_or_marked(both: tuple[Project, Project], tmp_path: Path) -> None:
    mine, theirs = both
    shutil.copytree(mine.root, tmp_path / "mine")
    path = tmp_path / "mine" / "runs" / RUN_ID / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["cutting"]["margin"] = 0.4
    path.write_text(json.dumps(record), encoding="utf-8")
    project = open_project(tmp_path / "mine")
    with pytest.raises(ProjectError, match=r"cut by other rules than the run's: margin 0\.0, the run 0\.4"):
        transfer(project, EvalSettings(), theirs.root, "", GIVEN)
    result = transfer(project, EvalSettings(accept_other_crops=True), theirs.root, "", GIVEN)
    assert result.variant == "other-crops"
    assert any("the scores are marked" in text for text in result.warnings)


def test_a_copied_run_is_scored_on_the_project_that_it_was_copied_into(
    both: tuple[Project, Project], tmp_path: Path
) -> None:
    mine, theirs = both
    shutil.copytree(theirs.root, tmp_path / "theirs")
    shutil.copytree(mine.root / "runs" / RUN_ID, tmp_path / "theirs" / "runs" / RUN_ID)
    project = open_project(tmp_path / "theirs")
    result = score_on(project, EvalSettings(), RUN_ID, project.root, given=GIVEN)
    assert isinstance(result, TransferResult)
    assert result.accuracy["value"] == on(both).accuracy["value"]


def test_what_is_no_project_is_refused(both: tuple[Project, Project], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a fercli project"):
        transfer(both[0], EvalSettings(), tmp_path, "", [])


def test_several_projects_make_a_matrix_of_trained_on_by_tested_on(both: tuple[Project, Project]) -> None:
    mine, theirs = both
    words = ["eval", RUN_ID, "--on", mine.root, "--on", theirs.root, "--map", GIVEN[0], "-p", mine.root]
    told = must(*words)
    answer = told["result"]
    cells = {cell["project"]: cell for cell in answer["cells"]}
    assert (cells["mine"]["is_own"], cells["mine"]["num_faces"]) == (True, 6)
    assert (cells["theirs"]["is_own"], cells["theirs"]["num_seen"], cells["theirs"]["trained_on"]) == (False, 1, "mine")
    text = (mine.root / next(path for path in told["outputs"] if path.endswith(".tex"))).read_text(encoding="utf-8")
    assert "\\toprule" in text
    assert "trained on & mine & theirs" in text
    assert len(read_csv(mine.root / next(path for path in told["outputs"] if path.endswith(".csv")))) == 2
    code, out, _ = run_fer(*words)
    assert (code, "(up to date)" in out, "Across projects: accuracy" in out) == (0, True, True)
    code, _, err = run_fer("eval", "--on", theirs.root, "-p", mine.root)
    assert (code, "class 'sleepy' of 'theirs' has no counterpart" in err) == (3, True)
    code, _, err = run_fer("eval", "--map", "a=b", "-p", mine.root)
    assert (code, "--map and --all-faces need --on" in err) == (2, True)
    shutil.rmtree(mine.root / "runs" / RUN_ID / "eval")


def test_given_crops_are_not_taken_for_cut_ones(both: tuple[Project, Project], tmp_path: Path) -> None:
    mine, theirs = both
    shutil.copytree(theirs.root, tmp_path / "given")
    project = open_project(tmp_path / "given")
    project.write_rows([dataclasses.replace(face, status="given") for face in project.rows(Face)], Face)
    with pytest.raises(ProjectError, match=r"came as they are, those of run .* were cut by fer align"):
        transfer(mine, EvalSettings(), project.root, "", GIVEN)
