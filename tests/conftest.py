"""What all tests share: the folder of real data, where one is named, and a drawn lesson."""

import gc
import os
import sys
from pathlib import Path

import hypothesis
import pytest

from tests.drawn import aligned, aligned_template, drawn_lesson

__all__ = ["aligned", "aligned_template", "drawn_lesson"]

# A busy machine is no reason to fail.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")  # noqa: S104  # none of them leads out


def _refuse_to_leave(event: str, args: tuple[object, ...]) -> None:
    """Nothing that a test runs speaks to another machine, the demo and every command included."""
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = str(args[1][0])
    elif event == "socket.getaddrinfo":
        host = str(args[0] or "localhost")
    else:
        return
    if not host.startswith(_LOOPBACK):
        raise AssertionError(f"something wants to speak to {host}")


sys.addaudithook(_refuse_to_leave)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs real data when no folder of it is named."""
    if os.environ.get("FER_REAL_DATA"):
        return
    skip = pytest.mark.skip(reason="FER_REAL_DATA names no folder")
    for item in items:
        if "real_data" in item.keywords:
            item.add_marker(skip)


def pytest_collection_finish() -> None:
    """Take what is loaded by now for lasting: the collector need not look through torch again and again."""
    gc.freeze()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder named by FER_REAL_DATA (see docs/real-data.md)."""
    return Path(os.environ["FER_REAL_DATA"]).resolve()
