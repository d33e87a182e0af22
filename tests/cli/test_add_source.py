import json
from pathlib import Path

import pytest

from tests.cli.run import run_fer
from tests.sources.trees import grey, write_class_folders, write_fer2013


@pytest.fixture
def root(tmp_path: Path) -> Path:
    run_fer("init", tmp_path / "mine", "--preset", "fer2013")
    return tmp_path / "mine"


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    rows = [(n % 7, grey(n), "Training" if n < 14 else "PublicTest") for n in range(21)]
    return write_fer2013(tmp_path / "fer2013.csv", rows)


def test_a_data_set_is_later_by_its_name(root: Path, csv: Path) -> None:
    code, out, _ = run_fer("add", "--source", "fer2013", csv, "--json", cwd=root)
    found = json.loads(out)
    assert (code, found["result"]["num_faces"], found["result"]["split"]) == (0, 21, "official")
    assert found["result"]["next_command"] == "fer train --split-name official"


def test_bad_rows_end_in_exit_code_six(root: Path, csv: Path) -> None:
    csv.write_text(csv.read_text(encoding="utf-8").replace("PublicTest", "Holiday", 1), encoding="utf-8")
    code, out, _ = run_fer("add", "--source", "fer2013", csv, cwd=root)
    assert code == 6
    assert "fer2013.csv:16: Usage 'Holiday' is not Training, PublicTest, PrivateTest" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--source", "fer2013", "nowhere"), "does not exist"),
        (("--source", "raf-db", "."), "no RAF-DB data found in"),
        (("--source", "folder", "pictures"), "class folder 'tired' is not a class of this project"),
        (("--source", "ferplus", "."), "ferplus's class 'contempt' is not a class of this project"),
    ],
    ids=["nothing there", "another set", "unknown class", "other classes"],
)
def test_what_cannot_be_added_is_one_clear_line(root: Path, words: tuple[str, ...], message: str) -> None:
    write_class_folders(root / "pictures", ["tired"])
    code, _, err = run_fer("add", *words, "--progress", "none", cwd=root)
    assert code == 4
    assert err.startswith("fer: ")
    assert message in err
    assert len(err.strip().splitlines()) == 2


def test_a_data_set_that_does_not_exist_lists_the_known_ones(root: Path) -> None:
    code, _, err = run_fer("add", "--source", "kdef", ".", cwd=root)
    assert code == 2
    assert "fer2013, ferplus, raf-db" in err
