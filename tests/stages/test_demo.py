"""A small demo: twelve pupils, three seconds. Too few to learn from, so the model's bound is the one that fails."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fercli.core.errors import UsageError
from fercli.core.project import create_project, open_project
from fercli.core.rows import Face, Subject, Vote
from fercli.stages.demo import walk as demo_walk
from fercli.stages.demo.work import DemoResult, DemoSettings, demo
from tests.cli.run import run_fer

SMALL = DemoSettings(subjects=12, seconds=3.0, annotators=3, keep_going=True, workers=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def result(folder: Path) -> DemoResult:
    return demo(folder, SMALL)


def test_stages_meet_the_truth(result: DemoResult) -> None:
    for name in ("align_precision", "subject_purity", "vote_accuracy"):
        assert getattr(result, name) >= demo_walk.BOUNDS[name], name
    # Among twelve pupils one whom the detector is never sure of weighs six times what he does among 72.
    assert result.align_recall is not None
    assert result.align_recall > 0.85


def test_figure_below_its_bound_is_said_with_the_figure(result: DemoResult) -> None:
    assert result.model_accuracy is not None
    assert result.model_accuracy < 0.7
    assert any("model_accuracy" in check and "70%" in check for check in result.failed_checks)


def test_few_held_out_subjects_have_no_interval(result: DemoResult) -> None:
    assert result.num_subjects < 5
    assert result.model_accuracy_low is None
    assert any("no interval" in warning for warning in result.warnings)


def test_every_stage_has_its_row(result: DemoResult) -> None:
    stages = [row["stage"] for row in result.rows if row["stage"]]
    assert stages == [
        "draw", "add", "extract-frames", "align", "subjects", "subjects confirm", "labels import", "split",
        "train drf-msam", "eval", "gradcam", "report",
    ]  # fmt: skip
    json.dumps(result.rows)


def test_pupils_of_lessons_are_confirmed_to_differ(result: DemoResult, folder: Path) -> None:
    assert result.rows
    assert {subject.source for subject in open_project(folder).rows(Subject)} == {"matched"}


def test_demo_ends_at_a_report(result: DemoResult, folder: Path) -> None:
    assert (folder / result.report).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert result.outputs == (result.report,)


def test_demo_is_a_project_like_any_other(result: DemoResult, folder: Path) -> None:
    project = open_project(folder)
    assert len([face for face in project.rows(Face) if face.status == "ok"]) > 0.85 * 3 * 12
    assert {vote.annotator for vote in project.rows(Vote)} == {"a1", "a2", "a3"}


def test_finished_demo_says_so_at_once(result: DemoResult, folder: Path) -> None:
    again = demo(folder, SMALL)
    assert again.is_unchanged
    assert again == replace(result, is_unchanged=True)


def test_command_line_shows_every_stage_and_its_json_names_the_figures(result: DemoResult, folder: Path) -> None:
    words = ("demo", folder, "--subjects", 12, "--seconds", "3s", "--annotators", 3, "--workers", 1, "--keep-going")
    code, out, _ = run_fer(*words)
    assert code == 5
    assert "each stage compared with the ground truth" in out
    assert "check failed: model_accuracy" in out
    code, out, _ = run_fer(*words, "--json")
    told = json.loads(out)
    assert (code, told["schema"], told["ok"]) == (5, "fer.demo/1", False)
    assert told["result"]["is_unchanged"]
    assert told["result"]["align_precision"] == result.align_precision
    assert (folder / told["outputs"][0]).is_file()


@pytest.mark.parametrize("command", [("extract-frames",), ("split",), ("train",), ("eval",)], ids=" ".join)
def test_bare_commands_in_the_demo_mean_what_the_demo_meant(
    command: tuple[str, ...], result: DemoResult, folder: Path
) -> None:
    code, out, err = run_fer(*command, "-p", folder, "--json")
    assert code == 0, err
    assert json.loads(out)["result"]["is_unchanged"]


def test_demo_goes_on_where_it_was(result: DemoResult, folder: Path) -> None:
    (folder / ".fer" / "stages" / "demo.json").unlink()
    again = demo(folder, SMALL)
    assert not again.is_unchanged
    assert (again.run, again.align_recall, again.vote_accuracy) == (
        result.run, result.align_recall, result.vote_accuracy
    )  # fmt: skip
    assert len(list((folder / "runs").iterdir())) == 1


def test_another_class_needs_another_folder(result: DemoResult, folder: Path) -> None:
    with pytest.raises(UsageError, match="was drawn with seed 0"):
        demo(folder, replace(SMALL, seed=1))


def test_project_of_the_user_is_left_alone(tmp_path: Path) -> None:
    create_project(tmp_path / "mine", name="mine", classes=("a", "b"))
    with pytest.raises(UsageError, match="a project of your own"):
        demo(tmp_path / "mine", SMALL)


def test_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not empty"):
        demo(tmp_path, SMALL)


def test_demo_killed_at_its_start_goes_on(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    note = {"seed": 0, "num_subjects": 12, "seconds": 3.0, "fps": 6, "num_annotators": 3}
    (tmp_path / "demo" / "demo.json").write_text(json.dumps(note), encoding="utf-8")
    assert demo(tmp_path, SMALL, dry_run=True).is_dry_run


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    planned = demo(tmp_path / "d", SMALL, dry_run=True)
    assert planned.is_dry_run
    assert any("12 pupils" in line for line in planned.plan)
    assert not (tmp_path / "d").exists()


def test_figure_below_its_bound_ends_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(demo_walk.BOUNDS, "align_recall", 1.01)
    short = replace(SMALL, subjects=2, seconds=1.0, keep_going=False)
    ended = demo(tmp_path, short)
    assert [check.split(":")[0] for check in ended.failed_checks] == ["align_recall"]
    assert ended.align_precision is None
    assert ended.rows[-1]["stage"] == "stopped"
