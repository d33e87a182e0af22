import contextlib
import io
import json
from pathlib import Path

import pytest

from fercli.cli.show.eval import show_scores
from fercli.core.project import Project
from fercli.stages.evaluate import EvalResult, EvalSettings
from tests.cli.run import run_fer
from tests.stages.trained import RUN_ID, trained_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = trained_project(tmp_path_factory.mktemp("mine") / "mine")
    assert run_fer("eval", "--progress", "none", cwd=project.root)[0] == 0
    return project


def test_scores_and_what_was_asked_for_are_shown(project: Project) -> None:
    code, out, _ = run_fer("eval", "--confusion", "--by", "subject", "--calibration", cwd=project.root)
    assert code == 0
    for words in (
        "balanced accuracy",
        "macro-F1",
        "human ceiling",
        "rows: true class, columns: predicted class",
        "s004",
        "calibration",
    ):
        assert words in out
    assert "(up to date)" in out
    assert "only 2 subjects; a confidence interval needs at least 5" in out


def test_the_matrix_is_shown_only_when_it_is_asked_for(project: Project) -> None:
    assert "columns predicted" not in run_fer("eval", cwd=project.root)[1]


def test_the_end_of_a_runs_name_finds_it(project: Project) -> None:
    assert run_fer("eval", "drf-msam", cwd=project.root)[0] == 0


def test_json_is_one_object_with_the_scores(project: Project) -> None:
    code, out, _ = run_fer("eval", "--json", cwd=project.root)
    found = json.loads(out)
    assert (code, found["schema"], found["result"]["run"]) == (0, "fer.eval/1", RUN_ID)
    assert found["result"]["accuracy"]["unit"] == "subject"


def test_an_unknown_run_lists_the_known_ones(project: Project) -> None:
    code, _, err = run_fer("eval", "nothing", cwd=project.root)
    assert code == 4
    assert RUN_ID in err


def test_val_is_an_alias_of_habit(project: Project) -> None:
    assert run_fer("val", cwd=project.root)[0] == 0


def test_a_project_without_a_run_ends_with_exit_code_seven(tmp_path: Path) -> None:
    run_fer("init", tmp_path / "new", "--preset", "scfed")
    code, _, err = run_fer("eval", cwd=tmp_path / "new")
    assert code == 7
    assert "fer train" in err


@pytest.mark.parametrize(("width", "header"), [(80, "conte"), (200, "contempt")], ids=["narrow", "wide"])
def test_no_column_of_a_large_matrix_is_lost(width: int, header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    classes = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
    score = {"value": 0.5, "low": None, "high": None, "unit": "picture"}
    result = EvalResult(
        run="r",
        split="test",
        checkpoint="best",
        classes=classes,
        num_faces=8,
        accuracy=score,
        balanced_accuracy=score,
        macro_f1=score,
        majority_class={"emotion": "neutral", "value": 0.125},
        per_class={name: {"recall": 1.0} for name in classes},
        matrix=tuple(tuple(100 * (row == column) for column in range(8)) for row in range(8)),
    )
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        show_scores(result, EvalSettings(confusion=True), None)
    lines = out.getvalue().splitlines()
    assert any(header in line and "recall" in line for line in lines)
    assert sum(line.count("100%") for line in lines) == 8
    assert sum(line.count("100.0%") for line in lines) == 8
