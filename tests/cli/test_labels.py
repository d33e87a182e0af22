import json
from pathlib import Path

import pytest

from fercli.core.project import Project
from tests.cli.run import run_fer
from tests.stages.voted import all_votes, face, make_faces, write_votes


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_faces(tmp_path / "p")


def test_import_says_how_the_file_was_read_and_what_is_next(project: Project, tmp_path: Path) -> None:
    path = write_votes(tmp_path / "votes.csv", all_votes())
    code, out, _ = run_fer("labels", "import", path, "-p", project.root)
    assert code == 0
    assert "votes.csv: read as csv-long, because the header has face_id, annotator, label" in out
    assert "72 votes, 72 new, by 3 annotators" in out
    assert "fer split" in out


def test_import_of_a_single_vote_is_one_vote(project: Project, tmp_path: Path) -> None:
    path = write_votes(tmp_path / "votes.csv", {face(0, 0): "h"})
    _, out, _ = run_fer("labels", "import", path, "-p", project.root)
    assert "\n1 vote, 1 new, by 1 annotator" in out


def test_json_of_an_import_has_counts_by_name(project: Project, tmp_path: Path) -> None:
    path = write_votes(tmp_path / "votes.csv", {face(0, 0): "hhh"})
    code, out, _ = run_fer("labels", "import", path, "-p", project.root, "--json")
    assert code == 0
    result = json.loads(out)
    assert result["schema"] == "fer.labels.import/1"
    assert (result["result"]["num_votes"], result["result"]["classes"]["happy"]) == (3, 1)


@pytest.mark.parametrize(
    ("text", "words", "code", "message"),
    [
        ("face_id,annotator,label\nlesson-1/f000000-0,a,hapy\n", (), 4, "did you mean 'happy'?"),
        ("x,y\n1,2\n", (), 4, "missing column"),
        ("face_id,annotator,label\nlesson-1/f000000-0,a,happy\nzzz,a,happy\n", (), 6, "is no face of this project"),
        ("face_id,annotator,label\nlesson-1/f000000-0,a,happy\nzzz,a,happy\n", ("--strict",), 4, "'zzz'"),
        ("face_id,annotator,label\nlesson-1/f000000-0,a,happy\n", ("--map", "x"), 2, "no word=class"),
        (
            "face_id,annotator,label\nlesson-1/f000000-0,a,happy\n",
            ("--from", "xls"),
            2,
            "invalid value 'xls' for --from",
        ),
    ],
    ids=["unknown label", "missing column", "unmatched", "unmatched, strict", "bad map", "bad format"],
)
def test_bad_input_has_its_exit_code_and_one_clear_line(
    project: Project, tmp_path: Path, text: str, words: tuple[str, ...], code: int, message: str
) -> None:
    path = tmp_path / "v.csv"
    path.write_text(text, encoding="utf-8")
    found, out, err = run_fer("labels", "import", path, "-p", project.root, *words)
    assert found == code
    assert message in out + err
    assert "Traceback" not in err


def test_bare_labels_shows_the_state(project: Project, tmp_path: Path) -> None:
    run_fer("labels", "import", write_votes(tmp_path / "votes.csv", all_votes()), "-p", project.root)
    code, out, _ = run_fer("labels", "-p", project.root)
    assert code == 0
    assert "24 of 24 faces have a label; 72 votes by 3 annotators from 1 import" in out
    assert "human ceiling" in out
    code, out, _ = run_fer("labels", "-p", project.root, "--json")
    assert json.loads(out)["result"]["num_votes"] == 72


def test_vote_takes_its_options(project: Project, tmp_path: Path) -> None:
    run_fer("labels", "import", write_votes(tmp_path / "votes.csv", all_votes()), "-p", project.root)
    code, out, _ = run_fer("labels", "vote", "--min-agreement", "0.9", "--tie", "drop", "-p", project.root, "--json")
    assert code == 0
    assert json.loads(out)["result"]["rule"] == "majority, at least 2 votes, agreement 0.9, ties drop"
    assert run_fer("labels", "vote", "--tie", "error", "--min-agreement", "0.9", "-p", project.root)[0] == 5


def test_agreement_shows_coefficients_classes_and_pairs(project: Project, tmp_path: Path) -> None:
    run_fer("labels", "import", write_votes(tmp_path / "votes.csv", all_votes()), "-p", project.root)
    code, out, _ = run_fer("labels", "agreement", "--by", "class", "-p", project.root)
    assert code == 0
    assert "Krippendorff's alpha" in out
    assert "class (one vs. rest)" in out
    out = run_fer("labels", "agreement", "--by", "annotator", "-p", project.root)[1]
    assert "a1 and a2" in out
    assert run_fer("labels", "agreement", "--min", "0.999", "-p", project.root)[0] == 5


def test_export_says_where_the_sheet_lies_and_how_it_comes_back(project: Project) -> None:
    code, out, _ = run_fer("labels", "export", "--to", "csv", "-p", project.root)
    assert code == 0
    assert "exports/labels-csv" in out
    assert "fer labels import exports/labels-csv/votes.csv" in out
