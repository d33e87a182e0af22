import json
from pathlib import Path

from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from tests.cli.run import run_fer
from tests.stages.voted import all_votes, make_faces, write_votes


def labelled(root: Path, num_subjects: int) -> Path:
    project = make_faces(root / "p", num_subjects)
    labels_import(project, LabelsImportSettings(), [write_votes(root / "votes.csv", all_votes(num_subjects))])
    return project.root


def test_split_shows_parts_and_the_next_command(tmp_path: Path) -> None:
    root = labelled(tmp_path, 6)
    code, out, _ = run_fer("split", "-p", root, "--seed", "3")
    assert code == 0
    assert "split 'default': 36 faces, by subject" in out
    assert "no subject or image is shared between sets" in out
    assert "next: fer train" in out
    assert "nothing to do" in run_fer("split", "-p", root, "--seed", "3")[1]


def test_split_as_json(tmp_path: Path) -> None:
    code, out, _ = run_fer("split", "-p", labelled(tmp_path, 6), "--ratios", "0.5,0,0.5", "--json")
    assert code == 0
    assert json.loads(out)["result"]["groups"] == {"train": 3, "test": 3}


def test_too_few_subjects_is_an_input_error_and_a_leak_a_failed_check(tmp_path: Path) -> None:
    root = labelled(tmp_path, 2)
    code, _, err = run_fer("split", "-p", root)
    assert code == 4
    assert "needs at least 3 subjects, and there are 2 subjects" in err
    code, _, err = run_fer("split", "-p", root, "--group", "none")
    assert code == 5
    assert "more than one set" in err
