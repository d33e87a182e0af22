"""Columns that a user attaches to subjects and videos, and what becomes of them when subjects change."""

from pathlib import Path

import pytest

from fercli.core.errors import InputError, UsageError
from fercli.core.files import replace_text
from fercli.core.project import Project, create_project
from fercli.core.rows import Attribute, Face
from fercli.stages.subjects import assign_subjects, merge_subjects, rename_subject, split_subject
from tests.cli.run import run_fer


@pytest.fixture
def known(tmp_path: Path) -> Project:
    """Three subjects of two videos, two faces each."""
    project = create_project(tmp_path / "class", name="class", classes=("a", "b"))
    faces = [
        Face(
            f"v{video}/f{place:06d}-0", f"v{video}/f{place:06d}", f"v{video}", subject_id=f"s00{video}", status="given"
        )
        for video in (1, 2, 3)
        for place in (0, 1)
    ]
    project.write_rows(faces, Face)
    return project


def table(project: Project, text: str) -> Path:
    path = project.root.parent / "table.csv"
    replace_text(path, text)
    return path


def values(project: Project) -> set[tuple[str, str, str]]:
    return {(row.item, row.column, row.value) for row in project.rows(Attribute)}


PEOPLE = "subject_id,glasses,age,note\ns001,yes,12,shy\ns002,no,13,\ns003,no,,\n"


def test_only_the_columns_that_are_asked_for_are_kept_and_the_others_are_named(known: Project) -> None:
    result = assign_subjects(known, table(known, PEOPLE), "glasses,age")
    assert values(known) == {
        ("s001", "glasses", "yes"), ("s001", "age", "12"), ("s002", "glasses", "no"), ("s002", "age", "13"),
        ("s003", "glasses", "no"),
    }  # fmt: skip
    said = "\n".join(result.warnings)
    assert "Column 'age' has 2 different values, of 2 subjects; 1 subject has none." in said
    assert "Columns that are not kept: note." in said
    assert "shy" not in (known.root / ".fer" / "journal.jsonl").read_text(encoding="utf-8")
    assert assign_subjects(known, table(known, PEOPLE), "glasses,age").is_unchanged


def test_people_and_their_columns_come_in_one_table(known: Project) -> None:
    rows = "video_id;subject;row\nv1;Anna B;front\nv2;Ben;back\n"
    assign_subjects(known, table(known, rows), "row")
    assert values(known) == {("anna-b", "row", "front"), ("ben", "row", "back")}
    assert {face.subject_id for face in known.rows(Face)} == {"anna-b", "ben", "s003"}


def test_columns_of_videos_are_kept_beside_those_of_subjects(known: Project) -> None:
    assign_subjects(known, table(known, PEOPLE), "glasses")
    result = assign_subjects(known, table(known, "video_id,camera\nv1,left\nv2,right\nv9,left\n"), "camera")
    assert [row.item for row in known.rows(Attribute) if row.of == "video"] == ["v1", "v2"]
    assert [(one.item, one.reason) for one in result.failures] == [("v9", "no face is of this video")]
    result = assign_subjects(known, table(known, "video_id,light\nv1,dark\nv9,bright\n"), "light")
    said = "\n".join(result.warnings)
    assert "Column 'light' has 1 different value, of 1 video; 2 videos have none." in said
    assert len(known.rows(Attribute)) == 6


def test_a_new_value_takes_the_place_of_the_old_one(known: Project) -> None:
    assign_subjects(known, table(known, PEOPLE), "glasses")
    assign_subjects(known, table(known, "subject,glasses\ns001,no\n"), "glasses")
    assert ("s001", "glasses", "no") in values(known)


def test_a_renamed_subject_keeps_its_columns(known: Project) -> None:
    assign_subjects(known, table(known, PEOPLE), "age")
    rename_subject(known, "s001", "p-1")
    assert values(known) == {("p-1", "age", "12"), ("s002", "age", "13")}


def test_of_merged_subjects_the_one_that_stays_keeps_its_value_and_the_other_is_named(known: Project) -> None:
    assign_subjects(known, table(known, PEOPLE), "age,glasses")
    result = merge_subjects(known, "s003", ["s001"])
    assert {row for row in values(known) if row[0] == "s003"} == {("s003", "age", "12"), ("s003", "glasses", "no")}
    assert any("glasses of s003 stays 'no'; the value 'yes' of s001" in text for text in result.warnings)


def test_columns_go_with_a_subject_that_is_removed(known: Project) -> None:
    assign_subjects(known, table(known, PEOPLE), "age,glasses")
    known.write_rows([face for face in known.rows(Face) if face.subject_id != "s001"], Face)
    result = split_subject(known, "s002", ["v2/f000001-0"])
    assert {row[0] for row in values(known)} == {"s002", "s003"}
    assert any(
        "2 values in columns deleted with subjects that have no face any more: s001." in w for w in result.warnings
    )


@pytest.mark.parametrize(
    ("text", "columns", "kind", "message"),
    [
        ("subject_id,glasses\ns001,yes\n", "glases", UsageError, "no such column"),
        ("subject_id,video\ns001,yes\n", "video", UsageError, "meaning of its own"),
        ("subject_id,glasses\ns001,yes\ns001,no\n", "glasses", InputError, "glasses of 's001' is 'yes' and 'no'"),
        ("face_id,glasses\nv1/f000000-0,yes\n", "glasses", InputError, "the columns are face_id, glasses"),
        ("subject_id,glasses\ns001,\n", "glasses", InputError, "no value in glasses"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_meant_is_refused(
    known: Project, text: str, columns: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        assign_subjects(known, table(known, text), columns)
    assert not known.has(known.table_path(Attribute))


def test_the_command_line_attaches_columns(known: Project) -> None:
    code, out, err = run_fer("subjects", "assign", table(known, PEOPLE), "--columns", "glasses", "-p", known.root)
    assert (code, "fer eval --by glasses" in out + err) == (0, True)
