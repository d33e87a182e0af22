from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fercli.core.errors import MissingStageError, UsageError
from fercli.core.project import Project, create_project
from fercli.core.rows import PICTURES, Face, Frame, Label, SplitRow, Video, Vote
from fercli.core.runs import RunRecord, list_runs, write_record
from fercli.core.stage import Stage
from fercli.core.tables import write_table
from fercli.stages.pipeline import command_in, run_until, status
from fercli.stages.runs import runs
from fercli.stages.train import train
from tests.cli.run import run_fer
from tests.stages.train_project import drawn_project, quick
from tests.stages.voted import make_faces


def built_in(stage: Stage[Any]) -> Any:
    assert stage.settings is not None
    return stage.settings()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create_project(tmp_path, name="mine", classes=("happy", "bored"))


def test_an_empty_project_waits_for_its_first_video(project: Project) -> None:
    result = status(project, built_in)
    assert result.rows["videos"] == 0
    assert {step.words: step.state for step in result.steps}["align"] == "waiting"
    assert result.steps[0].state == "waiting"
    assert result.steps[0].detail == "fer add VIDEO"


def test_faces_that_came_as_crops_need_no_video_stage(project: Project) -> None:
    project.write_rows([Face("set/000001", "", "set", status="given")], Face)
    project.write_rows([Label("set/000001", "happy", "given", "given", 0)], Label)
    states = {step.words: step.state for step in status(project, built_in).steps}
    video_steps = ("extract-frames", "align", "subjects track", "labels vote")
    assert {states[words] for words in video_steps} == {"not needed"}


def test_images_are_frames_already(project: Project) -> None:
    project.write_rows([Video("photos", "images/photos", "0" * 64, 1, 64, 64, codec=PICTURES)], Video)
    project.write_rows([Frame("photos/f000000", "photos", 0, None, "images/photos/a.jpg")], Frame)
    result = status(project, built_in)
    assert (result.steps[0].state, result.steps[0].detail) == ("not needed", "the project has images only")
    assert result.next_command == "fer align"


def test_a_run_stops_where_only_a_person_can_go_on(project: Project) -> None:
    project.write_rows([Frame("v/f000000", "v", 0, 0.0, "frames/v/f000000.jpg")], Frame)
    project.write_rows([Face("v/f000000-0", "v/f000000", "v")], Face)
    with pytest.raises(MissingStageError):
        run_until(project, "split", built_in)


def test_an_unknown_stage_gets_a_suggestion(project: Project) -> None:
    with pytest.raises(UsageError, match="unknown stage 'trian'") as caught:
        run_until(project, "trian", built_in)
    assert "train" in caught.value.hint


def test_status_writes_nothing(project: Project) -> None:
    project.write_rows([Vote("v/f1-0", "a1", "happy", "happy")], Vote)
    before = sorted(path.name for path in project.root.rglob("*"))
    status(project, built_in)
    assert sorted(path.name for path in project.root.rglob("*")) == before


@pytest.fixture
def without_test_set(tmp_path: Path) -> Project:
    """Labelled crops of a dataset, split into train and val alone."""
    project = drawn_project(tmp_path / "mine")
    rows = [row if row.split == "train" else replace(row, split="val") for row in project.split_rows("default")]
    write_table(project.split_path("default"), rows, SplitRow)
    return project


@pytest.mark.parametrize("dry_run", [False, True], ids=["run", "dry run"])
def test_what_would_be_refused_after_the_training_is_refused_before_it(
    without_test_set: Project, *, dry_run: bool
) -> None:
    with pytest.raises(MissingStageError, match=r"no labelled face in its test set, without which `fer eval`"):
        run_until(without_test_set, "report", built_in, dry_run=dry_run)
    assert list_runs(without_test_set.root) == []
    training = run_until(without_test_set, "train", built_in, dry_run=True)
    assert {step.words: step.state for step in training.steps}["train"] == "to do"


def test_training_without_a_test_set_says_so_in_its_dry_run(without_test_set: Project) -> None:
    assert any("has no test set" in text for text in train(without_test_set, quick(), dry_run=True).warnings)


def test_run_proposes_no_evaluation_that_would_be_refused(without_test_set: Project) -> None:
    folder = without_test_set.root / "runs" / "r1"
    write_record(folder, RunRecord("r1", "eac", "finished", "2024-01-01", "f"))
    write_table(folder / "split.csv", without_test_set.split_rows("default"), SplitRow)
    assert runs(without_test_set).next_command == "fer eval --confusion --split val"


def test_dry_run_runs_nothing(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "mine")
    _, before, _ = run_fer("status", "-p", project.root, "--json")
    code, out, _ = run_fer("run", "--dry-run", "-p", project.root)
    assert code == 0
    assert "train" in out
    assert run_fer("status", "-p", project.root, "--json")[1] == before
    assert list_runs(project.root) == []


def test_status_goes_on_with_what_waits_before_what_could_be_done_later(tmp_path: Path) -> None:
    """The report can be made at any time; what is missing are votes."""
    result = status(make_faces(tmp_path / "mine"), built_in)
    states = {step.words: step.state for step in result.steps}
    assert (states["labels vote"], states["report"]) == ("waiting", "to do")
    step = next(step for step in result.steps if step.words == "labels vote")
    assert step.remedy == "fer labels import FILE"


@pytest.mark.parametrize(
    ("hint", "command"),
    [
        ("Run: fer labels import FILE", "fer labels import FILE"),
        ("Train one with `fer train`.", "fer train"),
        ("Run: fer train, or name the run: r1", "fer train"),
        ("Choose another group: fer split --group none", "fer split --group none"),
        ("Run: fer subjects match (or name them: fer subjects assign CSV)", "fer subjects match"),
        ("Restore that file.", ""),
    ],
)
def test_a_command_is_taken_from_a_hint_without_its_prose(hint: str, command: str) -> None:
    assert command_in(hint) == command
