import json
from pathlib import Path

from fercli.core.project import open_project
from fercli.stages.align import align
from fercli.stages.pipeline import last_settings
from fercli.stages.train import train
from tests.cli.run import run_fer
from tests.drawn import must, read_csv
from tests.stages.train_project import drawn_project, quick


def states(root: Path) -> dict[str, str]:
    return {step["words"]: step["state"] for step in must("status", "-p", root)["result"]["steps"]}


def test_status_calls_a_stage_done_that_was_run_with_options(aligned: Path) -> None:
    must("extract-frames", "--every", "3s", "--end", "7s", "-p", aligned)
    assert states(aligned)["extract-frames"] == "done"
    assert states(aligned)["align"] == "to do"


def test_run_keeps_the_frames_that_an_option_asked_for(aligned: Path) -> None:
    before = read_csv(aligned / "manifests/frames.csv")
    code, out, _ = run_fer("run", "--until", "subjects", "-p", aligned, "--json")
    assert code == 0
    assert json.loads(out)["result"]["is_unchanged"]
    assert read_csv(aligned / "manifests/frames.csv") == before


def test_what_stands_in_the_config_counts_above_the_last_run(aligned: Path) -> None:
    with (aligned / "fer.toml").open("a", encoding="utf-8") as file:
        file.write("\n[align]\nsize = 224\n")
    assert states(aligned)["align"] == "to do"


def test_trial_on_the_first_frames_leaves_the_rest_to_do(aligned: Path) -> None:
    must("align", "--limit", "1", "--size", "224", "-p", aligned)
    settings = last_settings(open_project(aligned), align)
    assert settings["size"] == 224
    assert "limit" not in settings
    assert states(aligned)["align"] == "to do"


def test_training_remembers_its_network_and_its_options(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "mine")
    assert last_settings(project, train) == {}
    train(project, quick(epochs=1))
    settings = last_settings(project, train)
    assert (settings["epochs"], settings["model"]) == (1, {"width": 16, "hidden": 32})
    assert states(project.root)["train"] == "done"
