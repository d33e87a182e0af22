"""No damaged image or video ends the process, hangs it, fills the memory or is called our own fault."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.media import IMAGES, VIDEOS

FORMS = (*IMAGES, *VIDEOS)
MAX_S, MAX_BYTES = 30.0, 1_500_000_000


def read_damaged(folder: Path, first: int, num_files: int, *forms: str) -> dict[str, tuple[int, int]]:
    """How many files of each form were read, and how many refused."""
    words = [sys.executable, "-m", "tests.fuzz.media", str(folder), str(first), str(num_files), *forms]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, preexec_fn=_limited, env=environment)
    assert done.returncode == 0, ((folder / "seed").read_text(encoding="utf-8"), done.stderr[-2000:])
    told = [line.split() for line in done.stdout.splitlines()]
    assert max(float(slowest_s) for *_, slowest_s in told) < MAX_S
    return {form: (int(num_read), int(num_refused)) for form, num_read, num_refused, _ in told}


def _limited() -> None:
    """Let the process have no more memory than it may take, where the system can say so."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MAX_BYTES, MAX_BYTES))


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    counts = read_damaged(tmp_path, 0, 20, *FORMS)
    assert {form: sum(count) for form, count in counts.items()} == dict.fromkeys(FORMS, 20)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_five_hundred_damaged_files_are_read_or_refused(form: str, tmp_path: Path) -> None:
    num_read, num_refused = read_damaged(tmp_path, 1000, 500, form)[form]
    assert num_read
    assert num_refused
