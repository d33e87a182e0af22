import os
import subprocess
import sys
from pathlib import Path

import pytest

from fercli.cli.rank import Told, read_error, read_told, read_tracebacks
from fercli.core.errors import MissingStageError
from fercli.core.project import create_project
from fercli.core.runs import list_runs
from fercli.stages.train.settings import given_text
from tests.stages.train_project import drawn_project, quick


def run_alone(
    root: Path, folder: Path, config: str, *, stdin: int = subprocess.PIPE, stderr: int = subprocess.PIPE
) -> tuple[int, str]:
    """Exit code and stderr of the only process of a training."""
    folder.mkdir()
    (folder / "config.toml").write_text(config, encoding="utf-8")
    words = ["-m", "fercli.cli.rank", str(root), str(folder / "config.toml"), "", ""]
    with subprocess.Popen([sys.executable, *words], stdin=stdin, stderr=stderr, text=True) as process:
        said = process.stderr.read() if process.stderr else ""
        return process.wait(), said


def test_what_a_user_can_mend_is_left_with_its_class_and_hint(tmp_path: Path) -> None:
    root = create_project(tmp_path / "mine", name="mine", classes=("smile", "frown")).root
    code, said = run_alone(root, tmp_path / "told", given_text(quick()))
    error = read_error(tmp_path / "told")
    assert (code, type(error), said) == (7, MissingStageError, "")
    assert error is not None
    assert error.hint
    assert read_tracebacks(tmp_path / "told") == ""


def test_other_failures_are_left_as_tracebacks(tmp_path: Path) -> None:
    code, said = run_alone(tmp_path, tmp_path / "told", "no TOML")
    assert (code, said, read_error(tmp_path / "told")) == (1, "", None)
    assert read_tracebacks(tmp_path / "told").startswith("process 0: Traceback (most recent call last):")


def test_process_whose_parent_is_gone_begins_no_training(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "mine")
    code, _ = run_alone(project.root, tmp_path / "told", given_text(quick(epochs=50)), stdin=subprocess.DEVNULL)
    assert (code, list_runs(project.root), read_told(tmp_path / "told")) == (0, [], Told())


@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals")
def test_closed_terminal_does_not_end_a_training(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "mine")
    terminal, far_end = os.openpty()
    os.close(terminal)
    code, _ = run_alone(project.root, tmp_path / "told", given_text(quick(epochs=1)), stderr=far_end)
    os.close(far_end)
    (run,) = list_runs(project.root)
    assert (code, run.status, read_told(tmp_path / "told").run) == (0, "finished", run.run_id)
