from pathlib import Path

import pytest

from fercli.core.errors import SettingsError
from fercli.core.project import create_project
from fercli.stages.table import open_project


def test_section_that_no_command_reads_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    create_project(tmp_path, name="mine", classes=("a", "b"), sections={"algin": {"size": 1}})
    with pytest.raises(SettingsError, match=r"unknown section \[algin\]") as caught:
        open_project(tmp_path)
    assert caught.value.hint == "Did you mean 'align'?"


def test_section_of_a_command_is_read(tmp_path: Path) -> None:
    create_project(tmp_path, name="mine", classes=("a", "b"), sections={"align": {"size": 224}})
    assert open_project(tmp_path).section("align") == {"size": 224}
