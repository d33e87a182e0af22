import json
from pathlib import Path

import pytest

from fercli.core.files import replace_text
from fercli.core.project import create_project
from fercli.core.runs import RunRecord, write_record
from fercli.stages.runs import runs


def test_runs_are_listed_with_what_eval_found(tmp_path: Path) -> None:
    project = create_project(tmp_path, name="x", classes=("a", "b"))
    best = {"epoch": 3, "val_accuracy": 0.5}
    for name, created, result in (("r2", "2024-01-02", {}), ("r1", "2024-01-01", {"epochs": 4, "best": best})):
        write_record(tmp_path / "runs" / name, RunRecord(name, "eac", "finished", created, "f", result=result))
    metrics = tmp_path / "runs" / "r1" / "eval" / "test" / "metrics.json"
    metrics.parent.mkdir(parents=True)
    metrics.write_text(json.dumps({"accuracy": {"value": 0.25}}), encoding="utf-8")
    (tmp_path / "runs" / "notes").mkdir()
    found = runs(project)
    assert [line["run"] for line in found.runs] == ["r1", "r2"]
    first, second = found.runs
    assert (first["epochs"], first["best_epoch"], first["val_accuracy"], first["test_accuracy"]) == (4, 3, 0.5, 0.25)
    assert (second["best_epoch"], second["test_accuracy"]) == (None, None)
    unknown, strange = found.warnings
    assert "r1 does not record its crops" in unknown
    assert strange == "Not runs, or corrupt: notes."


def test_interrupted_run_reads_as_such(tmp_path: Path) -> None:
    project = create_project(tmp_path, name="x", classes=("a", "b"))
    write_record(tmp_path / "runs" / "r1", RunRecord("r1", "eac", "running", "2024-01-01", "f"))
    assert runs(project).runs[0]["status"] == "interrupted"


def test_project_without_runs_or_labels_is_pointed_to_the_status(tmp_path: Path) -> None:
    found = runs(create_project(tmp_path, name="x", classes=("a", "b")))
    assert (found.num_runs, found.next_command) == (0, "fer status")


@pytest.mark.parametrize("other", [{"test_time": "flip"}, {"checkpoint": "last"}], ids=["flipped", "last"])
def test_the_score_of_other_weights_or_views_is_not_the_runs(tmp_path: Path, other: dict[str, str]) -> None:
    """Older versions wrote every variant into one folder."""
    project = create_project(tmp_path, name="mine", classes=("a", "b"))
    write_record(tmp_path / "runs" / "r1", RunRecord("r1", "eac", "finished", "2024-01-01", "f"))
    metrics = {"accuracy": {"value": 0.25}, "checkpoint": "best", "test_time": "none"}
    path = tmp_path / "runs" / "r1" / "eval" / "test" / "metrics.json"
    replace_text(path, json.dumps(metrics))
    assert runs(project).runs[0]["test_accuracy"] == 0.25
    replace_text(path, json.dumps({**metrics, **other}))
    assert runs(project).runs[0]["test_accuracy"] is None
