import os
import subprocess
import sys

import pytest

from fercli.core.processors import count_processors


def test_a_process_that_was_given_one_processor_counts_one() -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("processors are not given to processes on this system")
    first = min(os.sched_getaffinity(0))
    code = (
        f"import os; os.sched_setaffinity(0, {{{first}}});"
        "from fercli.core.processors import count_processors; print(count_processors())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_a_system_that_does_not_tell_has_all_its_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert count_processors() == 6
