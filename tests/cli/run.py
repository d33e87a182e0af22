"""Run one command line in this process, as `fer` would."""

import contextlib
import io
import os
from pathlib import Path

from fercli.cli import app


def run_fer(*words: object, cwd: Path | None = None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `fer words...`, run in `cwd`."""
    out, err = io.StringIO(), io.StringIO()
    here = Path.cwd()
    try:
        os.chdir(cwd or here)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = app.run([str(word) for word in words])
    finally:
        os.chdir(here)
    return code, out.getvalue(), err.getvalue()
