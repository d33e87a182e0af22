from pathlib import Path

import pytest

from fercli.core.errors import InputError, MissingStageError
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Frame, Label, Prediction, SplitRow, Subject, Video, Vote
from fercli.core.runs import RunRecord, write_record
from fercli.core.tables import write_table
from fercli.stages.trace import trace

CLASSES = ("happy", "bored")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = create_project(tmp_path, name="mine", classes=CLASSES)
    project.write_rows([Video("v", "videos/v.mp4", "0" * 64, 10, 640, 480)], Video)
    project.write_rows([Frame("v/f000007", "v", 7, 3.5, "frames/v/f000007.jpg")], Frame)
    faces = [
        Face("v/f000007-0", "v/f000007", "v", 3.5, 10, 20, 30, 40, 0.99, subject_id="s001"),
        Face("v/f000007-1", "v/f000007", "v"),
    ]
    project.write_rows(faces, Face)
    project.write_rows([Subject("s001", "tracks", 1, 1, "v", "v/f000007-0")], Subject)
    project.write_rows([Vote("v/f000007-0", "a1", "happy", "Happy"), Vote("v/f000007-1", "a1", "bored", "bored")], Vote)
    project.write_rows([Label("v/f000007-0", "happy", "ok", "majority", 1, 1.0, 0.0, {"happy": 1.0})], Label)
    write_table(project.split_path("default"), [SplitRow("v/f000007-0", "test")], SplitRow)
    run = tmp_path / "runs" / "20260101-000000-drf-msam"
    write_record(run, RunRecord(run.name, "drf-msam", "finished", "2026-01-01T00:00:00", "f"))
    prediction = Prediction("v/f000007-0", "s001", "v", "test", "happy", "bored", {"happy": 0.25, "bored": 0.75})
    write_table(run / "eval" / "test" / "predictions.csv", [prediction], Prediction, CLASSES)
    return project


def test_a_face_is_followed_from_the_second_of_the_video_to_its_prediction(project: Project) -> None:
    result = trace(project, "v/f000007-0")
    assert result.frame is not None
    assert result.frame.time_s == 3.5
    assert result.video is not None
    assert result.video.path == "videos/v.mp4"
    assert result.subject is not None
    assert [vote.annotator for vote in result.votes] == ["a1"]
    assert result.label is not None
    assert result.splits == {"default": "test"}
    (prediction,) = result.predictions
    assert (prediction.predicted, prediction.probability, prediction.label) == ("bored", 0.75, "happy")


def test_a_face_without_labels_is_followed_as_far_as_it_came(project: Project) -> None:
    result = trace(project, "v/f000007-1")
    assert result.label is None
    assert result.splits == {}
    assert result.predictions == ()


def test_an_unknown_face_gets_a_suggestion(project: Project) -> None:
    with pytest.raises(InputError, match="no face 'v/f000007-9'") as caught:
        trace(project, "v/f000007-9")
    assert "v/f000007-" in caught.value.hint


def test_without_faces_the_missing_stage_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingStageError, match="no faces") as caught:
        trace(create_project(tmp_path, name="mine", classes=CLASSES), "v/f1-0")
    assert caught.value.hint == "Run: fer align"
