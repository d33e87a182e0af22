"""`fer train --log mlflow`, in a process of its own: MLflow notices pytest, and is silent there anyway."""

import json
import os
import sqlite3
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fercli.core.runs import list_runs
from fercli.stages.train.settings import TrainSettings
from tests.cli.run import run_fer
from tests.stages.train_project import drawn_project

REASON = "mlflow is not installed (pip install 'fercli[mlflow]')"
has_mlflow = find_spec("mlflow") is not None

# Trains a run in two halves; any attempt to open a connection is noted and refused.
SCRIPT = """
import json, sys, time
from pathlib import Path
from fercli.core.project import open_project
from fercli.stages.train import train
from tests.stages.train_project import Signaller, quick

asked = []

def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        asked.append(f"{event} {args[1:] if event == 'socket.connect' else args}")
        raise OSError("no network here")

sys.addaudithook(refuse)
project = open_project(Path(sys.argv[1]))
settings = quick(epochs=3, log=("mlflow",), name="half")
try:
    train(project, settings, progress=Signaller(9))
except KeyboardInterrupt:
    pass
result = train(project, settings)
time.sleep(1)  # what MLflow sends, it sends from a thread
print(json.dumps({"asked": asked, "run": result.run, "epochs": result.epochs, "was_resumed": result.was_resumed}))
"""


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    if not has_mlflow:
        pytest.skip(REASON)
    project = drawn_project(tmp_path_factory.mktemp("mine") / "mine")
    # MLflow keeps its peace in tests and on build servers, of which these tell.
    told = ("PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
    environment = {name: value for name, value in os.environ.items() if name not in told}
    environment |= {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path[1:]])}
    # A server that is named there is not asked.
    environment |= {"MLFLOW_TRACKING_URI": "http://192.0.2.1:5000"}
    words = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(project.root)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return project.root, json.loads(done.stdout.splitlines()[-1])


def rows(root: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(root / "mlflow/mlflow.db") as database:
        return database.execute(query).fetchall()


def test_no_connection_is_asked_for(logged: tuple[Path, dict[str, Any]]) -> None:
    _, told = logged
    assert told["asked"] == []


def test_a_run_and_its_resumption_are_one_run_with_each_epoch_once(logged: tuple[Path, dict[str, Any]]) -> None:
    root, told = logged
    assert told["was_resumed"]
    assert rows(root, "select name, status from runs") == [(told["run"], "FINISHED")]
    assert rows(root, "select step from metrics where key = 'loss/val' order by step") == [(1,), (2,), (3,)]
    ((seconds,),) = rows(root, "select value from latest_metrics where key = 'final/seconds'")
    assert seconds > 0


def test_settings_are_logged_but_no_faces_and_nobodys_name(logged: tuple[Path, dict[str, Any]]) -> None:
    root, _ = logged
    params = dict(rows(root, "select key, value from params"))
    assert (params["train.epochs"], params["plan.batch_size"]) == ("3", "8")
    # Neither who runs it, nor which script, nor files.
    assert {key for (key,) in rows(root, "select key from tags")} == {"fer.run", "mlflow.runName"}
    assert rows(root, "select user_id from runs")[0][0] in (None, "", "unknown")
    queries = ("select * from params", "select * from tags", "select * from metrics")
    text = "\n".join(str(row) for query in queries for row in rows(root, query))
    assert "set/0000" not in text
    assert str(root) not in text
    assert {path.name for path in (root / "mlflow").iterdir()} == {"mlflow.db"}


@pytest.mark.skipif(has_mlflow, reason="mlflow is installed")
def test_a_missing_mlflow_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "mine", num=16)
    code, _, err = run_fer("train", "--log", "mlflow", "-p", project.root)
    assert (code, "pip install 'fercli[mlflow]'" in err) == (3, True)
    assert list_runs(project.root) == []


def test_an_unknown_tracker_is_told_with_the_known_ones(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "mine", num=16)
    code, _, err = run_fer("train", "--log", "wandb", "-p", project.root)
    assert (code, "tensorboard, mlflow" in err) == (2, True)


def test_the_old_option_is_the_tracker() -> None:
    assert TrainSettings(tensorboard=True).trackers == ("tensorboard",)
    assert TrainSettings(tensorboard=True, log=("mlflow", "tensorboard")).trackers == ("mlflow", "tensorboard")
