import json
from pathlib import Path

import pytest

from fercli.core.project import Project
from tests.cli.run import run_fer
from tests.stages.trained import RUN_ID, trained_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return trained_project(tmp_path / "mine")


def test_command_tells_the_grid_and_the_next_command(project: Project) -> None:
    code, out, err = run_fer("gradcam", "-p", project.root)
    assert code == 0, err
    assert f"runs/{RUN_ID}/gradcam/grid.png" in out.replace("\\", "/")
    assert "fer report" in out


def test_json_names_the_outputs(project: Project) -> None:
    code, out, _ = run_fer("gradcam", RUN_ID, "--json", "--per-class", 1, "-p", project.root)
    answer = json.loads(out)
    assert code == 0
    assert answer["schema"] == "fer.gradcam/1"
    assert answer["outputs"] == [f"runs/{RUN_ID}/gradcam/grid.png", f"runs/{RUN_ID}/gradcam/cases.csv"]
    assert answer["result"]["num_right"] + answer["result"]["num_wrong"] + answer["result"]["num_blank"] == 6


def test_list_layers_prints_names_that_layer_takes(project: Project) -> None:
    code, out, _ = run_fer("gradcam", "--list-layers", "-p", project.root)
    assert code == 0
    names = [line.split()[0] for line in out.splitlines() if line.startswith("  ") and " x " in line]
    assert "attention2" in names
    assert run_fer("gradcam", "--layer", names[0], "-p", project.root)[0] == 0


def test_unknown_layer_is_a_usage_error_with_one_clear_line(project: Project) -> None:
    code, _, err = run_fer("gradcam", "--layer", "atention2", "-p", project.root)
    assert code == 2
    assert err.splitlines()[0].startswith("fer: layer 'atention2' not found in DrfMsam")
    assert "attention2" in err
