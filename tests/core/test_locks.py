import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fercli.core.errors import ProjectError
from fercli.core.locks import folder_lock, writing_lock

_HOLD = """
import sys
from pathlib import Path
from fercli.core.errors import ProjectError
from fercli.core.locks import folder_lock, writing_lock
folder = Path(sys.argv[2])
with writing_lock(folder) if sys.argv[1] == "project" else folder_lock(folder, ProjectError("held", hint="-")):
    print("held", flush=True)
    sys.stdin.read()
"""
LEFT_BEHIND = ".faces~0a1b2c3d.csv"


@pytest.fixture
def holder(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[subprocess.Popen[str]]":
    """Another process that holds the project, or the folder, until it is killed."""
    words = [sys.executable, "-c", _HOLD, request.param, str(tmp_path)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("holder", ["project"], indirect=True)
def test_second_writer_is_refused_until_the_first_is_gone(holder: "subprocess.Popen[str]", tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="another fer command is using"), writing_lock(tmp_path):
        pass
    holder.kill()
    holder.wait()
    with writing_lock(tmp_path):
        pass


@pytest.mark.parametrize("holder", ["project"], indirect=True)
def test_next_writer_sweeps_up_after_a_killed_one(holder: "subprocess.Popen[str]", tmp_path: Path) -> None:
    left = tmp_path / "manifests" / LEFT_BEHIND
    left.parent.mkdir()
    left.write_text("half", encoding="utf-8")
    holder.kill()
    holder.wait()
    with writing_lock(tmp_path):
        assert not left.exists()


@pytest.mark.parametrize("holder", ["project"], indirect=True)
def test_what_others_write_at_this_moment_is_left_to_them(holder: "subprocess.Popen[str]", tmp_path: Path) -> None:
    fresh, old = tmp_path / "reports" / LEFT_BEHIND, tmp_path / ".fer" / "stages" / LEFT_BEHIND
    for path in (fresh, old):
        path.parent.mkdir(exist_ok=True)
        path.write_text("half", encoding="utf-8")
    two_hours_ago = time.time() - 7200
    os.utime(old, (two_hours_ago, two_hours_ago))
    holder.kill()
    holder.wait()
    with writing_lock(tmp_path):
        assert (fresh.exists(), old.exists()) == (True, False)


@pytest.mark.parametrize("holder", ["folder"], indirect=True)
def test_held_folder_is_refused_in_the_given_words(holder: "subprocess.Popen[str]", tmp_path: Path) -> None:
    refusal = ProjectError("run 'x' is being trained", hint="Wait.")
    with pytest.raises(ProjectError, match="run 'x' is being trained"), folder_lock(tmp_path, refusal):
        pass


def test_folder_is_made_and_swept(tmp_path: Path) -> None:
    folder = tmp_path / "eval" / "test"
    folder.mkdir(parents=True)
    (folder / LEFT_BEHIND).write_text("half", encoding="utf-8")
    with folder_lock(folder, ProjectError("held", hint="-")):
        assert not (folder / LEFT_BEHIND).exists()
