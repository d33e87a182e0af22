"""What all tests share: the folder of real data, where one is named, and a drawn lesson."""

import gc
import os
from pathlib import Path

import hypothesis
import pytest

from tests.drawn import aligned, aligned_template, drawn_lesson

__all__ = ["aligned", "aligned_template", "drawn_lesson"]

# A busy machine is no reason to fail.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


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
