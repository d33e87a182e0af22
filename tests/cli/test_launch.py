import contextlib
import dataclasses
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fercli.cli import app
from fercli.core.project import Project, open_project
from fercli.core.rows import Face
from fercli.core.runs import Run, list_runs, read_run, write_record
from fercli.data.dataset import load_crops, make_reader
from fercli.learn.device import Machine
from fercli.learn.evaluate import validate
from fercli.learn.predict import load_run_model
from fercli.stages.train import train
from fercli.stages.train.prepare import prepare
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


def lose_first_crop(project: Project) -> str:
    faces = project.rows(Face)
    project.write_rows([replace(faces[0], path="faces/gone.png"), *faces[1:]], Face)
    return faces[0].face_id


@dataclass(frozen=True)
class Trained:
    """A project whose run two processes made in one go, one of its crops gone, and what they said; leave it alone."""

    project: Project
    gone: str
    code: int
    told: dict[str, Any]

    @property
    def folder(self) -> Path:
        return self.project.root / "runs" / str(self.told["run"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    project = drawn_project(tmp_path_factory.mktemp("trained") / "mine")
    gone = lose_first_crop(project)
    code, out, _ = run_fer(*TOGETHER, "-p", project.root)
    return Trained(project, gone, code, json.loads(out)["result"])


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_two_processes_make_one_run_whose_figures_one_process_finds_again(trained: Trained) -> None:
    told = trained.told
    # The face whose crop is gone is told as one process tells it.
    assert (trained.code, [failure["item"] for failure in told["failures"]]) == (6, [trained.gone])
    assert (told["status"], told["epochs"], told["is_unchanged"]) == ("finished", 2, False)
    assert json.loads((trained.folder / "run.json").read_text(encoding="utf-8"))["decided"]["num_processes"] == 2
    loaded = load_run_model(trained.folder, device="cpu", precision="fp32")
    val = prepare(trained.project, quick(split="default")).val
    crops = load_crops(make_reader(val.root, val.paths, FORM))
    machine = Machine("cpu", "fp32", "", 1)
    found = validate(loaded.model, crops, val.targets, form=loaded.form, machine=machine, num_classes=2, batch_size=64)
    assert (found.accuracy, found.macro_f1) == (told["val_accuracy"], told["val_macro_f1"])
    assert json.loads(run_fer(*TOGETHER, "-p", trained.project.root)[1])["result"]["is_unchanged"]


@pytest.fixture(scope="module")
def stopped_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A project, one of its crops gone, whose run two processes began and stopped at once; copy it."""
    project = drawn_project(tmp_path_factory.mktemp("stopped") / "mine")
    lose_first_crop(project)
    code, out, _ = run_fer(*TOGETHER, "--time-limit", "0.001s", "-p", project.root)
    told = json.loads(out)["result"]
    assert (code, told["status"], told["epochs"]) == (6, "interrupted", 0), out
    return project, told["run"]


@pytest.fixture
def stopped(tmp_path: Path, stopped_template: tuple[Project, str]) -> tuple[Project, str]:
    """A copy of that project, and the run."""
    project, run = stopped_template
    return open_project(shutil.copytree(project.root, tmp_path / "stopped")), run


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_two_processes_go_on_with_what_two_processes_began(stopped: tuple[Project, str], trained: Trained) -> None:
    begun, run = stopped
    code, out, _ = run_fer(*TOGETHER, "-p", begun.root)
    told = json.loads(out)["result"]
    assert (told["run"], told["status"], told["was_resumed"]) == (run, "finished", True), out
    assert (code, [failure["item"] for failure in told["failures"]]) == (6, [trained.gone])
    (found,) = (begun.root / "runs").glob("*/checkpoints/last.safetensors")
    assert found.read_bytes() == (trained.folder / "checkpoints" / "last.safetensors").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_one_process_does_not_go_on_with_what_two_began(stopped: tuple[Project, str]) -> None:
    begun, run = stopped
    code, out, _ = run_fer("train", "--resume", run, "--json", "-p", begun.root)
    assert (code, "was begun with --procs 2 and goes on in as many processes, not in 1" in out) == (2, True), out


def test_dry_run_starts_no_process(project: Project) -> None:
    code, out, _ = run_fer(*TOGETHER, "--dry-run", "-p", project.root)
    assert (code, json.loads(out)["result"]["is_dry_run"]) == (0, True)


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
@pytest.mark.parametrize("resumes", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["new", "resumed"])
def test_processes_that_began_no_run_are_not_told_by_an_older_one(project: Project, resumes: bool) -> None:
    stopped = train(project, quick(time_limit_s=0.001)).run
    record = read_run(project.root / "runs" / stopped).record
    begun_by_two = {**record.decided, "num_processes": 2}
    write_record(
        project.root / "runs" / stopped, dataclasses.replace(record, reason="interrupted", decided=begun_by_two)
    )
    (project.root / "faces" / "pack.npy").unlink()
    words = ("train", "--procs", "2", "--json", "--resume", stopped) if resumes else TOGETHER
    code, _, err = run_fer(*words, "-p", project.root)
    told = (3, "36 of 36 are gone, first 'set/000000'") if resumes else (4, "fer: no crop can be read; set/000000")
    assert (code, told[1] in err) == (told[0], True), err
    assert read_run(project.root / "runs" / stopped).record.reason == "interrupted"


@pytest.mark.skipif(sys.platform == "win32", reason="no such program")
def test_processes_that_end_without_a_word_are_told_by_their_code(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    code, _, err = run_fer(*TOGETHER, "-p", project.root)
    assert (code, "fer: the training processes ended with code 1" in err) == (1, True), err


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_what_one_process_refuses_is_told_once_and_fails_the_run(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    model = ("--model", "msff-cnn", "--batch-size", "3", "--epochs", "1", "--set", "image_size=48")
    words = ["train", *model, "--procs", "2", "--precision", "fp32", "--set", "threads=1", "-p", str(project.root)]
    # Of each batch the second process has one face.
    code, _, err = run_fer(*words)
    said = err + capfd.readouterr().err
    assert (code, said.count("leave a batch of one face"), "Traceback" in said) == (2, 1, False), said
    (run,) = list_runs(project.root)
    assert run.record.status == "failed"
    assert "leave a batch of one face" in run.record.reason


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell")
def test_killed_run_that_went_on_and_died_is_named(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(project, quick(time_limit_s=0.001)).run
    folder = project.root / "runs" / run
    record = read_run(folder).record
    killed = {"status": "running", "reason": "", "decided": {**record.decided, "num_processes": 2}}
    write_record(folder, dataclasses.replace(record, **killed))
    os.utime(folder / "run.json", (0, 0))
    program = tmp_path / "python"
    # Its processes write the same words into the record, and die.
    program.write_text(f"#!/bin/sh\ntouch '{folder / 'run.json'}'\nexit 137\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    code, _, err = run_fer("train", "--procs", "2", "--json", "--resume", run, "-p", project.root)
    assert (code, f"fer: a process of run '{run}' died (code 137)" in err) == (1, True), err


class InterruptedAtOnce(subprocess.Popen[bytes]):
    """Gets a Ctrl-C as soon as it is waited for."""

    is_interrupted = False

    def wait(self, timeout: float | None = None) -> int:
        if not self.is_interrupted:
            self.is_interrupted = True
            raise KeyboardInterrupt
        return super().wait(timeout)


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
@pytest.mark.parametrize("resumes", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["new", "resumed"])
def test_ctrl_c_before_the_training_has_begun_is_no_failure(
    resumes: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    project = request.getfixturevalue("stopped")[0] if resumes else request.getfixturevalue("project")
    capfd.readouterr()
    monkeypatch.setattr(subprocess, "Popen", InterruptedAtOnce)
    code, _, err = run_fer(*TOGETHER, "-p", project.root)
    assert (code, err.splitlines()) == (
        130,
        ["fer: interrupted; finished work is kept. Run the same command to resume."],
    )
    assert "Traceback" not in capfd.readouterr().err


# Tests run in the background of a shell hand down an ignored Ctrl-C, those under nohup an ignored SIGHUP.
FER = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from fercli.cli.app import main
main()
"""


def stopped_run(project: Project, name: str) -> tuple[int, str, Run]:
    """Exit code, stderr and run of a training that gets the signal `name` after its first epoch.

    It comes back when the last process that can write to stderr has ended.
    """
    words = [word for word in TOGETHER if word != "--json"]
    words[words.index("--epochs") + 1] = "100000"
    # What goes on nevertheless ends after a while.
    words += ["--set", "patience=0", "--time-limit", "60s", "-p", str(project.root)]
    with subprocess.Popen(
        [sys.executable, "-c", FER, *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as started:
        assert started.stderr is not None
        assert any(line.startswith("epoch 1/") for line in started.stderr)
        started.send_signal(getattr(signal, name))
        _, err = started.communicate(timeout=120)
    (run,) = list_runs(project.root)
    return started.returncode, err, run


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(
    "name", ["SIGINT", *(pytest.param(name, marks=pytest.mark.slow) for name in ("SIGTERM", "SIGHUP"))]
)
def test_signal_saves_and_ends_all_processes(project: Project, name: str) -> None:
    code, err, run = stopped_run(project, name)
    assert (code, run.record.status, run.record.reason, "Traceback" in err) == (
        130,
        "interrupted",
        "interrupted",
        False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_processes_save_and_end_when_the_one_that_started_them_is_killed(project: Project) -> None:
    code, _, run = stopped_run(project, "SIGKILL")
    assert (code, run.record.status, run.record.reason) == (-signal.SIGKILL, "interrupted", "interrupted")


@contextlib.contextmanager
def hangup_handled_by(handler: signal.Handlers) -> Iterator[None]:
    """Whatever the tests were started by."""
    before = signal.signal(signal.SIGHUP, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


class HungUp(subprocess.Popen[bytes]):
    """Is waited for by a process that gets a SIGHUP."""

    def wait(self, timeout: float | None = None) -> int:
        signal.raise_signal(signal.SIGHUP)
        return super().wait(timeout)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGHUP")
@pytest.mark.parametrize(
    ("handler", "code"),
    [pytest.param(signal.SIG_DFL, 130, id="alone"), pytest.param(signal.SIG_IGN, 1, id="under nohup")],
)
def test_closed_terminal_stops_what_nohup_does_not_shield(
    project: Project, handler: signal.Handlers, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    monkeypatch.setattr(subprocess, "Popen", HungUp)
    with hangup_handled_by(handler):
        assert run_fer(*TOGETHER, "-p", project.root)[0] == code
        assert signal.getsignal(signal.SIGHUP) is handler


class ClosedTerminal(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGHUP")
def test_closed_terminal_that_takes_no_words_is_an_interruption_too(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    monkeypatch.setattr(subprocess, "Popen", HungUp)
    with contextlib.redirect_stderr(ClosedTerminal()), hangup_handled_by(signal.SIG_DFL):
        assert app.run([*TOGETHER, "-p", str(project.root)]) == 130
