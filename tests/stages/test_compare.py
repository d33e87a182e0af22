import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import CheckError, MissingStageError, UsageError
from fercli.core.files import replace_text
from fercli.core.project import Project
from fercli.core.rows import Prediction
from fercli.core.runs import read_run, write_record
from fercli.core.tables import read_table, write_table
from fercli.learn.history import EpochRow, write_history
from fercli.stages.compare import CompareSettings, compare
from tests.drawn import must
from tests.stages.trained import CLASSES, RUN_ID, trained_project, write_run

NUM_SUBJECTS = 9
OTHER, THIRD = "20260102-000000-drf-msam", "20260103-000000-drf-msam"


def predict(project: Project, run_id: str, wrong: set[int], *, faces: range | None = None) -> None:
    """What `fer eval` leaves of a run that errs on some of 27 faces, three of each of nine subjects."""
    rows = []
    for number in faces or range(3 * NUM_SUBJECTS):
        place = number % 3
        label, predicted = CLASSES[place], CLASSES[(place + (number in wrong)) % 3]
        shares = {name: 0.8 if name == predicted else 0.1 for name in CLASSES}
        face = f"lesson/f{number // 3:06d}-{place}"
        rows.append(Prediction(face, f"s{number // 3:03d}", "lesson", "test", label, predicted, shares))
    folder = project.root / "runs" / run_id / "eval" / "test"
    write_table(folder / "predictions.csv", rows, Prediction, CLASSES)
    replace_text(folder / "metrics.json", json.dumps({"checkpoint": "best", "crops": {"is_known": True}}))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = trained_project(tmp_path / "mine", num_subjects=NUM_SUBJECTS)
    for run_id in (OTHER, THIRD):
        write_run(project, run_id)
    history = [EpochRow(epoch, 1.0, 0.5, 1.0, 0.2 + 0.2 * epoch, 0.4, 0.01, 1.0, 10.0, 0.0) for epoch in (1, 2)]
    for run_id in (RUN_ID, OTHER, THIRD):
        write_history(project.root / "runs" / run_id / "metrics.csv", history)
    predict(project, RUN_ID, {0, 1, 3, 6, 9, 12, 15, 18})
    predict(project, OTHER, {2})
    predict(project, THIRD, {0, 1, 3, 6, 9, 12, 15, 18})
    return project


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_differences_are_to_the_first_run_and_tested_over_subjects(project: Project) -> None:
    result = compare(project, CompareSettings(), [RUN_ID, OTHER, THIRD])
    assert (result.num_faces, result.unit, result.num_units) == (27, "subject", 9)
    better, same = (one for one in result.differences if one["score"] == "accuracy")
    assert better["value"] == pytest.approx(7 / 27)
    # One subject gains 1 (it loses 2 and wins 1), six gain 1 each: all signs alike in 2 of 2^7 ways.
    assert better["p"] == pytest.approx(2 / 2**7)
    assert better["p_holm"] == pytest.approx(2 * 2 / 2**7)
    assert (same["value"], same["p"], same["p_holm"]) == (0, 1, 1)


def test_every_file_of_a_paper_is_written_and_says_the_same(project: Project) -> None:
    result = compare(project, CompareSettings(name="Table 4"), [RUN_ID, OTHER])
    folder = project.root / "reports/compare/table-4"
    names = {"runs.csv", "differences.csv", "compare.md", "compare.tex", "compare.html"}
    names |= {f"{name}.{kind}" for name in ("confusion", "curves") for kind in ("png", "pdf")}
    assert {path.name for path in folder.iterdir()} == names
    assert {Path(path).name for path in result.outputs} == names
    first, second = read(folder / "runs.csv")
    assert float(first["accuracy"]) == pytest.approx(19 / 27)
    assert float(second["f1_bored"]) == pytest.approx(2 * 8 / (9 + 8))
    assert "70.37%" in (folder / "compare.md").read_text(encoding="utf-8")
    latex = (folder / "compare.tex").read_text(encoding="utf-8")
    assert all(word in latex for word in ("70.37\\%", "\\toprule", "\\bottomrule", "macro-F1"))
    page = (folder / "compare.html").read_text(encoding="utf-8")
    assert "70.37%" in page
    assert "http" not in page
    assert (folder / "confusion.pdf").read_bytes().startswith(b"%PDF")


def test_a_second_comparison_does_nothing_and_force_writes_the_same_bytes(project: Project) -> None:
    first = compare(project, CompareSettings(), [RUN_ID, OTHER])
    before = {path: (project.root / path).read_bytes() for path in first.outputs}
    assert compare(project, CompareSettings(), [RUN_ID, OTHER]).is_unchanged
    compare(project, CompareSettings(), [RUN_ID, OTHER], force=True)
    assert {path: (project.root / path).read_bytes() for path in first.outputs} == before


def test_different_test_faces_are_refused_and_the_common_ones_offered(project: Project) -> None:
    predict(project, OTHER, {2}, faces=range(3, 27))
    words = f"different faces: 27 in '{RUN_ID}', 24 in '{OTHER}', of which all have 24"
    with pytest.raises(CheckError, match=words) as caught:
        compare(project, CompareSettings(), [RUN_ID, OTHER])
    assert "24 faces" in caught.value.hint
    assert "--common" in caught.value.hint
    result = compare(project, CompareSettings(common=True), [RUN_ID, OTHER])
    assert (result.num_faces, result.num_left_out) == (24, 3)
    assert any("3 faces left out" in sentence for sentence in result.warnings)


def test_labels_that_changed_between_the_runs_are_refused(project: Project) -> None:
    path = project.root / "runs" / OTHER / "eval/test/predictions.csv"
    rows = read_table(path, Prediction)
    write_table(path, [replace(rows[0], label="bored"), *rows[1:]], Prediction, CLASSES)
    with pytest.raises(CheckError, match="the labels of 1 face differ between the runs, first 'lesson/f000000-0'"):
        compare(project, CompareSettings(), [RUN_ID, OTHER])
    assert compare(project, CompareSettings(common=True), [RUN_ID, OTHER]).num_faces == 26


def test_a_run_of_other_classes_is_refused(project: Project) -> None:
    folder = project.root / "runs" / OTHER
    write_record(folder, replace(read_run(folder).record, classes=("neutral", "happy", "bored")))
    with pytest.raises(CheckError, match="have other classes"):
        compare(project, CompareSettings(), [RUN_ID, OTHER])


@pytest.mark.parametrize("is_flipped", [False, True], ids=["not at all", "with test-time augmentation"])
def test_a_run_without_its_headline_names_the_command(project: Project, *, is_flipped: bool) -> None:
    folder = project.root / "runs" / OTHER / "eval/test"
    if is_flipped:
        replace_text(folder / "metrics.json", json.dumps({"checkpoint": "best", "test_time": "flip"}))
    else:
        (folder / "metrics.json").unlink()
    with pytest.raises(MissingStageError) as caught:
        compare(project, CompareSettings(), [RUN_ID, OTHER])
    assert caught.value.hint == f"Run: fer eval {OTHER}"


def test_one_run_is_no_comparison(project: Project) -> None:
    with pytest.raises(UsageError, match="at least two runs, and one is named"):
        compare(project, CompareSettings(), [RUN_ID, RUN_ID])


def test_the_latest_run_of_each_model_is_meant(project: Project) -> None:
    folder = project.root / "runs" / OTHER
    write_record(folder, replace(read_run(folder).record, model="eac"))
    result = compare(project, CompareSettings(model=("eac", "drf-msam"), against=RUN_ID))
    assert [one["run"] for one in result.runs] == [RUN_ID, OTHER, THIRD]


def test_the_papers_tables_stand_beside_ours(project: Project) -> None:
    folder = project.root / "runs" / OTHER
    write_record(folder, replace(read_run(folder).record, model="eac"))
    result = compare(project, CompareSettings(paper=True), [RUN_ID, OTHER])
    eac = next(one for one in result.reported if one["model"] == "eac")
    assert (eac["raf-db"], eac["macs"]) == (90.16, 3_898_290_176)
    assert any("own splits and pretrained weights" in sentence for sentence in result.warnings)


def test_the_screen_shows_scores_f1_and_differences(project: Project) -> None:
    must("compare", RUN_ID, OTHER, "-p", project.root)
    assert np.isclose(
        must("compare", RUN_ID, OTHER, "-p", project.root)["result"]["runs"][0]["accuracy"]["value"], 19 / 27
    )
