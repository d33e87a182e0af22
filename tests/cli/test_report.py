import json
from pathlib import Path

from tests.cli.run import run_fer
from tests.stages.trained import RUN_ID, trained_project


def test_command_tells_where_the_page_is_and_what_it_misses(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    code, out, err = run_fer("report", "-p", project.root)
    assert code == 0, err
    assert f"runs/{RUN_ID}/report.html" in out.replace("\\", "/")
    assert "Results" in out
    assert "nothing to do" in run_fer("report", "-p", project.root)[1]


def test_json_names_the_page(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    code, out, _ = run_fer("report", RUN_ID, "--json", "-p", project.root)
    answer = json.loads(out)
    assert code == 0
    assert answer["schema"] == "fer.report/1"
    assert answer["outputs"] == [f"runs/{RUN_ID}/report.html"]


def test_unknown_run_is_an_input_error(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    code, _, err = run_fer("report", "nowhere", "-p", project.root)
    assert code == 4
    assert "run 'nowhere' not found" in err
