import json
import tomllib
from pathlib import Path

import pytest

from fercli.core.project import Project
from tests.cli.run import run_fer
from tests.stages.train_project import drawn_project

QUICK = [
    "train", "--epochs", "1", "--batch-size", "8", "--precision", "fp32",
    "--set", "model.width=8", "--set", "model.hidden=16", "--set", "image_size=24", "--set", "threads=1",
]  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return drawn_project(tmp_path / "mine")


def test_json_object_tells_the_run_and_a_second_call_does_nothing(project: Project) -> None:
    code, out, _ = run_fer(*QUICK, "--json", "-p", project.root)
    first = json.loads(out)
    assert (code, first["ok"], first["result"]["epochs"]) == (0, True, 1)
    code, out, _ = run_fer(*QUICK, "--json", "-p", project.root)
    assert json.loads(out)["result"]["run"] == first["result"]["run"]
    assert json.loads(out)["result"]["is_unchanged"]


def test_printed_config_is_toml_that_repeats_the_settings(project: Project, tmp_path: Path) -> None:
    code, out, _ = run_fer(*QUICK, "--lr", "0.25", "--print-config", "-p", project.root)
    assert code == 0
    config = tomllib.loads(out)
    assert (config["train"]["lr"], config["plan"]["lr"], config["model"]["width"]) == (0.25, 0.25, 8)
    (tmp_path / "again.toml").write_text(out, encoding="utf-8")
    code, again, _ = run_fer("train", "--config", tmp_path / "again.toml", "--print-config", "-p", project.root)
    assert (code, again) == (0, out)
    assert list((project.root / "runs").iterdir()) == []


def test_printed_config_of_a_run_to_resume_is_its_own(project: Project) -> None:
    code, out, _ = run_fer(*QUICK, "--seed", "7", "--time-limit", "1ms", "--json", "-p", project.root)
    run = json.loads(out)["result"]["run"]
    code, out, err = run_fer("train", "--resume", run, "--print-config", "-p", project.root)
    assert code == 0, err
    config = tomllib.loads(out)
    assert (config["train"]["seed"], config["train"]["epochs"], config["model"]["width"]) == (7, 1, 8)


def test_time_limit_ends_partial(project: Project) -> None:
    code, out, err = run_fer(*QUICK, "--time-limit", "1ms", "-p", project.root)
    assert code == 6
    assert "time limit" in out + err


def test_unknown_model_is_a_usage_error(project: Project) -> None:
    code, _, err = run_fer("train", "--model", "resnet", "-p", project.root)
    assert code == 2
    assert "unknown model 'resnet'" in err


def test_missing_labels_exit_with_seven(project: Project) -> None:
    (project.root / "manifests" / "labels.csv").unlink()
    code, _, err = run_fer(*QUICK, "-p", project.root)
    assert code == 7
    assert "fer labels import" in err
