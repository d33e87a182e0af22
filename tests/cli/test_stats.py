import json
from pathlib import Path

import pytest

from fercli.core.project import create_project
from fercli.core.rows import Face, Label
from tests.cli.run import run_fer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    project = create_project(tmp_path / "mine", name="mine", classes=("happy", "bored"))
    project.write_rows([Face("v/f000000-0", "v/f000000", "v", subject_id="s001")], Face)
    project.write_rows([Label("v/f000000-0", "happy", "ok", "majority", 3)], Label)
    return project.root


def test_counts_are_shown_as_tables(root: Path) -> None:
    code, out, _ = run_fer("stats", "--by", "split,class,subject", cwd=root)
    assert code == 0
    for words in ("1 face, 1 with a label", "s001", "labels: ok 1", "No face is labelled bored"):
        assert words in out


def test_json_holds_the_tables(root: Path) -> None:
    code, out, _ = run_fer("stats", "--json", "--by", "subject", cwd=root)
    found = json.loads(out)
    assert (code, found["schema"]) == (0, "fer.stats/1")
    assert found["result"]["tables"]["subject"]["s001"]["happy"] == 1


def test_an_unknown_word_to_count_by_is_refused(root: Path) -> None:
    code, _, err = run_fer("stats", "--by", "weather", cwd=root)
    assert code == 2
    assert "invalid value 'weather' for --by" in err
