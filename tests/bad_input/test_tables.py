"""Files of votes, subjects and splits that do not fit, and tables of the project that somebody has damaged."""

import json
from pathlib import Path

import pytest

from tests.bad_input.refusal import refused
from tests.cli.run import run_fer
from tests.drawn import must, read_csv
from tests.stages.voted import all_votes, face, make_faces, write_votes

GOOD = face(0, 0)
# File name, its bytes, and what the refusal has to say.
BAD_VOTES = {
    "missing column": ("v.csv", b"a,b,c\n1,2,3\n", "missing column"),
    "unknown label": ("v.csv", f"face_id,annotator,label\n{GOOD},x,hapy\n".encode(), "did you mean 'happy'?"),
    "empty": ("v.csv", b"", "is empty"),
    "header only": ("v.csv", b"face_id,annotator,label\n", "holds no votes"),
    "foreign faces": ("v.csv", b"face_id,annotator,label\nno/f000001-0,x,happy\n", "none of its items is a face"),
    "binary": ("v.csv", bytes(range(256)) * 20, "not a text file"),
    "broken JSON": ("v.json", b'[{"data": ', "not valid JSON"),
    "other JSON": ("v.json", b'{"a": 1}', "has no image"),
    "other XML": ("v.xml", b"<a/>", "not <annotations>"),
    "XML that includes files": (
        "v.xml",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>',
        "v.xml",
    ),
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_faces(tmp_path / "mine").root


@pytest.mark.parametrize("name", BAD_VOTES)
def test_votes_that_cannot_be_read_are_refused_and_nothing_is_imported(
    project: Path, tmp_path: Path, name: str
) -> None:
    file, data, says = BAD_VOTES[name]
    (tmp_path / file).write_bytes(data)
    refusal = refused(4, "labels", "import", tmp_path / file, "-p", project)
    assert file in refusal.message
    assert says in refusal.message
    assert not (project / "manifests/votes.csv").exists()
    assert not list((project / "labels/imports").iterdir())


def test_bad_file_among_good_ones_is_named_and_the_votes_of_the_others_count(project: Path, tmp_path: Path) -> None:
    good = write_votes(tmp_path / "good.csv", {GOOD: "hh"})
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    code, out, _ = run_fer("labels", "import", tmp_path / "bad.csv", good, "-p", project, "--json")
    result = json.loads(out)["result"]
    assert code == 6
    assert [failure["item"] for failure in result["failures"]] == ["bad.csv"]
    assert result["num_labelled"] == 1


def test_votes_that_an_unknown_label_stopped_come_in_with_a_map(project: Path, tmp_path: Path) -> None:
    votes = write_votes(tmp_path / "votes.csv", {GOOD: "xx"})
    refusal = refused(4, "labels", "import", votes, "-p", project)
    assert "'joyfull' (2 votes" in refusal.message
    assert "--map joyfull=CLASS" in refusal.hint
    result = must("labels", "import", votes, "--map", "joyfull=happy", "-p", project)["result"]
    assert result["classes"]["happy"] == 1


def test_earlier_votes_stay_when_a_later_file_is_refused(project: Path, tmp_path: Path) -> None:
    must("labels", "import", write_votes(tmp_path / "good.csv", {GOOD: "hh"}), "-p", project)
    before = (project / "manifests/votes.csv").read_bytes()
    (tmp_path / "bad.csv").write_text(f"face_id,annotator,label\n{GOOD},a,nonsense\n", encoding="utf-8")
    refused(4, "labels", "import", tmp_path / "bad.csv", "-p", project)
    assert (project / "manifests/votes.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "text", "says"),
    [
        (("subjects", "assign"), "x,y\n1,2\n", "the columns are x, y"),
        (("subjects", "assign"), None, "does not exist"),
        (("split", "--from"), "x,y\n1,2\n", "missing column: face"),
        (("split", "--from"), f"face_id,split\n{GOOD},trian\n", "unknown set 'trian'"),
        (("split", "--from"), f"face_id,split\n{GOOD},train\n{GOOD},test\n", "is in train and in test"),
        (("split", "--from"), "face_id,split\nnobody,train\n", "matches a face of this project"),
        (("split", "--from"), None, "does not exist"),
    ],
    ids=["columns", "no file", "split columns", "split word", "twice", "foreign", "no split file"],
)
def test_table_of_the_user_that_does_not_fit_is_refused(
    project: Path, tmp_path: Path, words: tuple[str, ...], text: str | None, says: str
) -> None:
    must("labels", "import", write_votes(tmp_path / "votes.csv", all_votes()), "-p", project)
    if text is not None:
        (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    before = (project / "manifests/faces.csv").read_bytes()
    assert says in refused(4, *words, tmp_path / "table.csv", "-p", project).message
    assert (project / "manifests/faces.csv").read_bytes() == before
    assert not (project / "manifests/splits/default.csv").exists()


def test_split_of_the_user_that_puts_a_person_on_two_sides_fails_the_check(project: Path, tmp_path: Path) -> None:
    must("labels", "import", write_votes(tmp_path / "votes.csv", all_votes()), "-p", project)
    rows = [f"{face(frame, 0)},{'train' if frame % 2 else 'test'}" for frame in range(6)]
    (tmp_path / "split.csv").write_text("face_id,split\n" + "\n".join(rows) + "\n", encoding="utf-8")
    refusal = refused(5, "split", "--from", tmp_path / "split.csv", "-p", project)
    assert "data leakage: 1 subject appears in more than one set, e.g. s001" in refusal.message
    assert not (project / "manifests/splits/default.csv").exists()


DAMAGES = {
    "column renamed": (lambda text: text.replace("face_id,", "face,", 1), "missing column face_id"),
    "foreign column": (lambda text: text.replace("face_id,", "note,face_id,", 1), "unexpected column note"),
    "foreign word": (lambda text: text.replace(",ok,", ",okay,", 1), "faces.csv:2: column status cannot hold 'okay'"),
    "line cut off": (lambda text: text[:-40], "cells instead of"),
    "no number": (lambda text: text.replace("lesson-1,,", "lesson-1,zero,", 1), "column time_s cannot hold 'zero'"),
}


READERS = [("stats",), ("labels", "export"), ("trace", GOOD)]
# Stats looks at no number of a face, and reads none.
LOOKED_AT = [(words, name) for words in READERS for name in DAMAGES if (words[0], name) != ("stats", "no number")]


@pytest.mark.parametrize(("words", "name"), LOOKED_AT, ids=lambda value: value if isinstance(value, str) else value[0])
def test_damaged_table_is_named_with_its_line(project: Path, words: tuple[str, ...], name: str) -> None:
    damage, says = DAMAGES[name]
    path = project / "manifests/faces.csv"
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = path.read_bytes()
    refusal = refused(3, *words, "-p", project)
    assert "faces.csv" in refusal.message
    assert says in refusal.message
    assert path.read_bytes() == before


def test_table_saved_by_a_spreadsheet_with_a_byte_order_mark_is_read(project: Path) -> None:
    path = project / "manifests/faces.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert must("stats", "-p", project)["result"]["num_faces"] == len(read_csv(path))


def test_two_rows_of_one_face_are_refused(project: Path) -> None:
    path = project / "manifests/faces.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text.splitlines()[1] + "\n", encoding="utf-8")
    assert "duplicate face_id" in refused(3, "stats", "-p", project).message
