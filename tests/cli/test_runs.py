import json
from pathlib import Path

from fercli.core.project import create_project
from fercli.core.runs import RunRecord, write_record
from tests.cli.run import run_fer


def test_table_and_json_name_the_run(tmp_path: Path) -> None:
    create_project(tmp_path, name="x", classes=("a", "b"))
    result = {"epochs": 4, "best": {"epoch": 3, "val_accuracy": 0.5}}
    write_record(tmp_path / "runs" / "r1", RunRecord("r1", "eac", "finished", "2024-01-01", "f", result=result))
    code, out, _ = run_fer("runs", "-p", tmp_path)
    assert code == 0
    assert ["r1", "finished", "4", "3", "50.0%", "-"] in [line.split() for line in out.splitlines()]
    code, out, _ = run_fer("runs", "--json", "-p", tmp_path)
    assert json.loads(out)["result"]["runs"][0]["model"] == "eac"
