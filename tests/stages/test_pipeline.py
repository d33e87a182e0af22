from pathlib import Path
from typing import Any

import pytest

from fercli.core.errors import MissingStageError, UsageError
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Frame, Label, Vote
from fercli.core.stage import Stage
from fercli.stages.pipeline import run_until, status


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
