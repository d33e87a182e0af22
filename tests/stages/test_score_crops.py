"""Scores whose crops are gone, were cut anew or are others: what shows them says so, with the number."""

import json
from pathlib import Path

import pytest

from fercli.core.files import replace_text
from fercli.core.project import Project
from fercli.stages.compare import CompareSettings, compare
from fercli.stages.report import ReportSettings, report
from fercli.stages.runs import runs
from tests.cli.run import run_fer
from tests.reports.test_html import Reader
from tests.stages.test_compare import predict
from tests.stages.test_eval import swap_crops
from tests.stages.trained import RUN_ID, trained_project, write_run

OTHER = "20260102-000000-drf-msam"
NUM_SUBJECTS = 6
RUN = f"runs/{RUN_ID}"
MARK = "test crops: 3 of 6 changed since"
ACCEPTED = "40.0% on other crops (2 of 5 changed, 1 gone)"
ACCEPTED_SENTENCE = "2 of 5 faces with another crop, and 1 face without a crop left out; it is not the run's score."
CHANGED = "of its test faces, 3 of 6 have another crop, first 'lesson/f000004-0'"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = trained_project(tmp_path / "mine", num_subjects=NUM_SUBJECTS)
    write_run(project, OTHER)
    for run_id in (RUN_ID, OTHER):
        predict(project, run_id, {12}, faces=range(12, 18))
        metrics = {"checkpoint": "best", "crops": {"is_known": True}, "accuracy": {"value": 5 / 6}}
        replace_text(project.root / f"runs/{run_id}/eval/test/metrics.json", json.dumps(metrics))
    return project


def scored_otherwise(project: Project, *, num_changed: int, num_missing: int) -> None:
    crops = {"is_known": True, "num_changed": num_changed, "num_missing": num_missing}
    metrics = {"accuracy": {"value": 0.4}, "num_faces": 5, "crops": crops, "variant": "other-crops"}
    replace_text(project.root / f"{RUN}/eval/test-other-crops/metrics.json", json.dumps(metrics))


def page_words(project: Project) -> str:
    text = (project.root / RUN / "report.html").read_text(encoding="utf-8")
    return " ".join(Reader(text).words.replace("\N{NO-BREAK SPACE}", " ").split())


def test_a_score_of_crops_that_are_there_is_said_as_it_is(project: Project) -> None:
    assert runs(project).warnings == ()
    assert [line["notes"] for line in runs(project).runs] == [(), ()]


def test_runs_say_which_scores_are_of_crops_that_were_cut_anew(project: Project) -> None:
    swap_crops(project, 4)
    found = runs(project)
    assert found.runs[0]["notes"] == (MARK,)
    assert any(RUN_ID in text and CHANGED in text and "fer align" in text for text in found.warnings)
    _, out, _ = run_fer("runs", cwd=project.root)
    line = next(line for line in out.splitlines() if line.startswith(RUN_ID))
    assert line.split("83.3%")[1].strip() == "test crops: 3 of 6"  # and goes on below


def test_runs_say_which_scores_are_of_crops_that_are_gone(project: Project) -> None:
    (project.root / "faces/lesson/f000005-1.png").unlink()
    assert runs(project).runs[0]["notes"] == ("test crops: 1 of 6 gone",)


def test_runs_without_a_record_of_their_crops_say_so_beside_a_score(project: Project) -> None:
    (project.root / RUN / "crops.csv").unlink()
    found = runs(project)
    assert found.runs[0]["notes"] == ("test crops not recorded",)
    assert sum("not known" in text for text in found.warnings) == 1
    (project.root / f"runs/{OTHER}/eval/test/metrics.json").unlink()
    (project.root / f"runs/{OTHER}/crops.csv").unlink()
    assert runs(project).runs[1]["notes"] == ()  # no score, no doubt of it


def test_other_crops_that_made_no_difference_are_no_mark(project: Project) -> None:
    scored_otherwise(project, num_changed=0, num_missing=0)
    assert runs(project).runs[0]["notes"] == ()


def test_a_score_on_other_crops_is_shown_beside_that_of_the_run(project: Project) -> None:
    scored_otherwise(project, num_changed=2, num_missing=1)
    found = runs(project)
    assert found.runs[0]["test_accuracy"] == pytest.approx(5 / 6)
    assert found.runs[0]["notes"] == (ACCEPTED,)
    assert any(ACCEPTED_SENTENCE in text for text in found.warnings)


def test_report_says_both_at_the_score_and_in_its_warnings_and_notices_what_happens_later(project: Project) -> None:
    scored_otherwise(project, num_changed=2, num_missing=1)
    before = (project.root / "faces/lesson/f000004-0.png").read_bytes()
    swap_crops(project, 4)
    told = report(project, ReportSettings(), RUN_ID)
    assert all(any(text in warning for warning in told.warnings) for text in (CHANGED, ACCEPTED_SENTENCE))
    words = page_words(project).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    assert all(text in words for text in (MARK, ACCEPTED, CHANGED, ACCEPTED_SENTENCE))
    again = report(project, ReportSettings(), RUN_ID)
    assert again.is_unchanged
    assert again.warnings == told.warnings
    (project.root / "faces/lesson/f000004-0.png").write_bytes(before)
    assert report(project, ReportSettings(), RUN_ID, dry_run=True).is_dry_run


def test_comparison_says_both_at_the_score_and_notices_what_happens_later(project: Project) -> None:
    scored_otherwise(project, num_changed=2, num_missing=1)
    before = (project.root / "faces/lesson/f000004-0.png").read_bytes()
    swap_crops(project, 4)
    told = compare(project, CompareSettings(name="one"), [RUN_ID, OTHER])
    assert all(any(text in warning for warning in told.warnings) for text in (CHANGED, ACCEPTED_SENTENCE))
    table = (project.root / "reports/compare/one/compare.md").read_text(encoding="utf-8")
    assert (table.count(MARK), table.count(ACCEPTED)) == (2, 1)
    _, out, _ = run_fer("compare", RUN_ID, OTHER, "--name", "one", cwd=project.root)
    assert "up to date" in out
    assert "changed" in out.partition("warning")[0]
    (project.root / "faces/lesson/f000004-0.png").write_bytes(before)
    assert compare(project, CompareSettings(name="one"), [RUN_ID, OTHER], dry_run=True).is_dry_run
