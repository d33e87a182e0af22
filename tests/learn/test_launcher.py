import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize(
    ("program", "code"),
    [
        pytest.param("", 0, id="well"),
        pytest.param("import sys; sys.exit(3)", 3, id="with a code"),
        pytest.param("import os; os.kill(os.getpid(), 9)", 137, id="killed"),
    ],
)
def test_process_that_ends_is_told_by_the_exit_code_alone(tmp_path: Path, program: str, code: int) -> None:
    script = tmp_path / "program.py"
    script.write_text(program, encoding="utf-8")
    words = ["-m", "fercli.learn.launcher", "--standalone", "--nproc-per-node=1", str(script)]
    done = subprocess.run([sys.executable, *words], check=False, capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr, "failed (exitcode" in done.stderr) == (code, False, False)
