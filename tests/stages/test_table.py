import subprocess
import sys
from pathlib import Path

import pytest

from fercli.core.errors import SettingsError
from fercli.core.project import create_project
from fercli.stages.pipeline import STEPS
from fercli.stages.table import open_project


def test_section_that_no_command_reads_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    create_project(tmp_path, name="mine", classes=("a", "b"), sections={"algin": {"size": 1}})
    with pytest.raises(SettingsError, match=r"unknown section \[algin\]") as caught:
        open_project(tmp_path)
    assert caught.value.hint == "Did you mean 'align'?"


def test_section_of_a_command_is_read(tmp_path: Path) -> None:
    create_project(tmp_path, name="mine", classes=("a", "b"), sections={"align": {"size": 224}})
    assert open_project(tmp_path).section("align") == {"size": 224}


def test_what_every_step_plans_for_a_status_loads_nothing_that_takes_seconds() -> None:
    stages = [row.stage() for row in STEPS]
    planning = [stage.planning or stage.work for stage in stages if stage.glance is None]
    code = (
        f"import importlib, sys; [importlib.import_module(name) for name in {planning!r}];"
        "print(sorted({'torch', 'matplotlib', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
