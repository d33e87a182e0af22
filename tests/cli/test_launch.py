import dataclasses
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.core.runs import read_run, write_record
from fercli.data.dataset import load_crops, make_reader
from fercli.learn.device import Machine
from fercli.learn.evaluate import validate
from fercli.learn.predict import load_run_model
from fercli.stages.train import train
from fercli.stages.train_prepare import prepare
from tests.cli.run import run_fer
from tests.learn.drawn import FORM
from tests.stages.train_project import drawn_project, quick

TOGETHER = [
    "train", "--procs", "2", "--epochs", "2", "--batch-size", "8", "--precision", "fp32", "--lr", "0.01",
    "--set", "model.width=16", "--set", "model.hidden=32", "--set", "image_size=24", "--set", "threads=1", "--json",
]  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return drawn_project(tmp_path / "mine")


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_two_processes_make_one_run_whose_figures_one_process_finds_again(project: Project) -> None:
    code, out, _ = run_fer(*TOGETHER, "-p", project.root)
    told = json.loads(out)["result"]
    assert (code, told["status"], told["epochs"], told["is_unchanged"]) == (0, "finished", 2, False)
    folder = project.root / "runs" / told["run"]
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["decided"]["num_processes"] == 2
    loaded = load_run_model(folder, device="cpu", precision="fp32")
    val = prepare(project, quick(split="default")).val
    crops = load_crops(make_reader(val.root, val.paths, FORM))
    machine = Machine("cpu", "fp32", "", 1)
    found = validate(loaded.model, crops, val.targets, form=loaded.form, machine=machine, num_classes=2, batch_size=64)
    assert (found.accuracy, found.macro_f1) == (told["val_accuracy"], told["val_macro_f1"])
    code, out, _ = run_fer(*TOGETHER, "-p", project.root)
    assert json.loads(out)["result"]["is_unchanged"]


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_two_processes_go_on_with_what_two_processes_began(project: Project, tmp_path: Path) -> None:
    whole = drawn_project(tmp_path / "whole")
    faces = project.rows(Face)
    project.write_rows([replace(faces[0], path="faces/gone.png"), *faces[1:]], Face)
    whole.write_rows(project.rows(Face), Face)
    code, out, _ = run_fer(*TOGETHER, "--time-limit", "0.001s", "-p", project.root)
    stopped = json.loads(out)["result"]
    assert (code, stopped["status"], stopped["epochs"]) == (6, "interrupted", 0), out
    code, out, _ = run_fer(*TOGETHER, "-p", project.root)
    told = json.loads(out)["result"]
    assert (told["run"], told["status"], told["was_resumed"]) == (stopped["run"], "finished", True), out
    # The face whose crop is gone is told as one process tells it.
    assert (code, [failure["item"] for failure in told["failures"]]) == (6, [faces[0].face_id])
    code, out, _ = run_fer(*TOGETHER, "-p", whole.root)
    found = [sorted((root / "runs").glob("*/checkpoints/last.safetensors")) for root in (project.root, whole.root)]
    assert found[0][0].read_bytes() == found[1][0].read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_one_process_does_not_go_on_with_what_two_began(project: Project) -> None:
    code, out, _ = run_fer(*TOGETHER, "--time-limit", "0.001s", "-p", project.root)
    assert code == 6
    run = json.loads(out)["result"]["run"]
    code, out, _ = run_fer("train", "--resume", run, "--json", "-p", project.root)
    assert (code, "was begun in 2 processes, and goes on in as many, not in 1" in out) == (2, True), out


def test_dry_run_starts_no_process(project: Project) -> None:
    code, out, _ = run_fer(*TOGETHER, "--dry-run", "-p", project.root)
    assert (code, json.loads(out)["result"]["is_dry_run"]) == (0, True)


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
@pytest.mark.parametrize("resumes", [False, True], ids=["new", "resumed"])
def test_processes_that_began_no_run_are_not_told_by_an_older_one(project: Project, resumes: bool) -> None:
    stopped = train(project, quick(time_limit_s=0.001)).run
    record = read_run(project.root / "runs" / stopped).record
    begun_by_two = {**record.decided, "num_processes": 2}
    write_record(
        project.root / "runs" / stopped, dataclasses.replace(record, reason="interrupted", decided=begun_by_two)
    )
    (project.root / "faces" / "pack.npy").unlink()
    code, _, err = run_fer(*TOGETHER, *(("--resume", stopped) if resumes else ()), "-p", project.root)
    assert (code, "fer: the training processes ended with code 1" in err) == (1, True), err
