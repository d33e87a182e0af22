import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fercli
from fercli.core.errors import FerError, MissingStageError, TableError, UsageError
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Frame, Label, Prediction, SplitRow, Subject, Video, Vote
from fercli.core.tables import read_table, table_text
from fercli.data.frames import count_pairs, frame, is_usable, read_frame, read_rows

CLASSES = ("happy", "bored")
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=6)
ROW_TYPES = (Video, Frame, Face, Subject, Vote, Label, SplitRow, Prediction)
# What may stand in a cell of a table that was edited by hand, and what breaks a line.
PIECES = (
    "", " ", ",", "\n", "\r", "\r\n", '"', "\0", "nan", "NaN", "-nan", "inf", "1_000", "1.0", " 7", "7 ", "1e400",
    "0x10", "+5", "-0", "1e", ".5", "5.", "99999999999999999999", "True", "TRUE", "ok", "None", "NA", "null", "\u0661",
    "é", "\ufeff", "#", "'", "1,5", "\t", "\xa0", "\u2028", "\x85", "1d5", "1.7976931348623159e308", "4.9e-324",
    "0.1000000000000000055",
)  # fmt: skip
EDITS = st.lists(st.tuples(st.sampled_from(PIECES), st.integers(0, 10**6)), min_size=1, max_size=3)


@dataclasses.dataclass(frozen=True, slots=True)
class Odd:
    """A row of the types that the project's tables do not use yet."""

    key: str
    is_seen: bool
    is_known: bool | None
    share: float
    word: Literal["a", "b"] | None
    note: str | None


@st.composite
def tables(draw: st.DrawFn) -> tuple[type[Any], list[Any]]:
    row_type = draw(st.sampled_from((*ROW_TYPES, Odd)))
    given_types = {column.name: _cells(column.type) for column in dataclasses.fields(row_type)}
    rows = draw(st.lists(st.builds(row_type, **given_types), max_size=4))
    return row_type, rows


def _cells(kind: Any) -> st.SearchStrategy[Any]:
    kinds = {
        str: WORDS,
        str | None: st.none() | WORDS.filter(bool),
        int: st.integers(-(2**63), 2**63 - 1),
        int | None: st.none() | st.integers(-(2**63), 2**63 - 1),
        float: st.floats(),
        float | None: st.none() | st.floats(),
        dict[str, float]: st.dictionaries(st.sampled_from(CLASSES), st.floats(allow_nan=False)),
    }
    return kinds[kind] if kind in kinds else st.from_type(kind)


def plain(value: Any) -> Any:
    """A cell of either kind of table, so that equal ones are equal: NaN and what is not given are None."""
    if isinstance(value, dict):
        return {word: plain(share) for word, share in value.items()}
    return None if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) else value


def cells_of_rows(rows: list[Any], row_type: type[Any], classes: tuple[str, ...]) -> list[list[Any]]:
    return [
        [plain(getattr(row, column.name)) for column in dataclasses.fields(row_type) if column.type != dict[str, float]]
        + [plain(row.probabilities.get(word)) for word in classes if hasattr(row, "probabilities")]
        for row in rows
    ]


def outcome(read: Callable[[], Any]) -> Any:
    """What comes of reading: the value, or the words of the error."""
    try:
        return read()
    except FerError as error:
        return error.message, error.hint


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(table=tables())
def test_frame_holds_what_the_rows_hold(table: tuple[type[Any], list[Any]], tmp_path: Path) -> None:
    row_type, rows = table
    path = tmp_path / "table.csv"
    path.write_text(table_text(rows, row_type, CLASSES), encoding="utf-8", newline="")
    frame = read_frame(path, row_type)
    rows = read_table(path, row_type)
    assert [[plain(value) for value in row] for row in frame.astype(object).to_numpy().tolist()] == cells_of_rows(
        rows, row_type, CLASSES
    )
    # The text of a row tells 1 from 1.0 and from True, and nan from nothing.
    assert repr(read_rows(path, row_type)) == repr(rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=120)
@given(
    table=tables(), edits=st.lists(st.tuples(st.sampled_from(PIECES), st.integers(0, 10**6)), min_size=1, max_size=3)
)
def test_edited_table_is_read_or_refused_alike(
    table: tuple[type[Any], list[Any]], edits: list[tuple[str, int]], tmp_path: Path
) -> None:
    row_type, rows = table
    text = table_text(rows, row_type, CLASSES)
    for piece, place in edits:
        # One cell gives way to the piece, or the piece goes in between.
        cells = text.split(",")
        cells[place % len(cells)] = piece if place % 3 else cells[place % len(cells)] + piece
        text = ",".join(cells)
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8", newline="")
    wanted = outcome(lambda: read_table(path, row_type))
    assert repr(outcome(lambda: read_rows(path, row_type))) == repr(wanted)
    frame = outcome(lambda: read_frame(path, row_type))
    if isinstance(wanted, tuple):
        assert repr(frame) == repr(wanted)
    elif isinstance(frame, tuple):
        assert "more than 64 bits" in frame[0]
    else:
        words = tuple(name.removeprefix("p_") for name in frame if name.startswith("p_"))
        assert [[plain(value) for value in row] for row in frame.astype(object).to_numpy().tolist()] == cells_of_rows(
            wanted, row_type, words
        )


def test_columns_have_the_types_of_the_fields(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    faces = [Face("v/f1-0", "v/f1", "v", 1.5, source_row=7), Face("v/f2-0", "v/f2", "v", status="gone")]
    path.write_text(table_text(faces, Face), encoding="utf-8")
    frame = read_frame(path, Face)
    assert list(frame) == [column.name for column in dataclasses.fields(Face)]
    assert frame["source_row"].dtype == "Int64"
    assert frame["time_s"].dtype == "float64"
    assert list(frame["status"].cat.categories) == ["ok", "dropped", "given", "gone"]
    assert frame["path"].tolist() == ["", ""]


def test_empty_table_has_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(table_text([], Vote), encoding="utf-8")
    frame = read_frame(path, Vote)
    assert list(frame) == [column.name for column in dataclasses.fields(Vote)]
    assert len(frame) == 0


def test_integer_beyond_64_bits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "subjects.csv"
    path.write_text(table_text([Subject("anna", "csv", 2**70, 2, "a", "a/f1-0")], Subject), encoding="utf-8")
    with pytest.raises(TableError, match=r"subjects\.csv: column num_faces holds an integer of more than 64 bits"):
        read_frame(path, Subject)


@pytest.mark.parametrize("word", ["True", "false", "TRUE"])
def test_truth_in_a_column_of_floats_is_refused(tmp_path: Path, word: str) -> None:
    path = tmp_path / "faces.csv"
    faces = [Face(f"v/f{place}-0", f"v/f{place}", "v", left=12345.0) for place in range(3)]
    path.write_text(table_text(faces, Face).replace("12345.0", word), encoding="utf-8")
    with pytest.raises(TableError, match=f"faces.csv:2: column left cannot hold '{word}'"):
        read_frame(path, Face)
    with pytest.raises(TableError, match=f"faces.csv:2: column left cannot hold '{word}'"):
        read_rows(path, Face)


def test_counts_of_pairs() -> None:
    splits, labels = pd.Series(["val", "train", "train", "train"]), pd.Series(["sad", "sad", "happy", "sad"])
    assert count_pairs(splits, labels) == {"train": {"happy": 1, "sad": 2}, "val": {"sad": 1}}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = create_project(tmp_path / "p", name="p", classes=CLASSES)
    with project.commit() as commit:
        commit.table([Face("v/f1-0", "v/f1", "v"), Face("v/f2-0", "v/f2", "v")], Face)
    path = project.split_path("default")
    path.write_text(table_text([SplitRow("v/f1-0", "train"), SplitRow("v/f2-0", "val")], SplitRow), encoding="utf-8")
    return project


@pytest.mark.parametrize(("name", "column"), [("faces", "frame_id"), ("splits/default", "fold")])
def test_table_is_had_by_its_name(project: Project, name: str, column: str) -> None:
    frame = fercli.frame(project, name)
    assert frame["face_id"].tolist() == ["v/f1-0", "v/f2-0"]
    assert column in frame


def test_frame_and_rows_are_read_through_a_commit_that_waits(project: Project) -> None:
    faces = [Face("v/f9-0", "v/f9", "v")]
    waiting = project.root / ".fer" / "faces.csv"
    waiting.write_text(table_text(faces, Face), encoding="utf-8")
    record = {"number": 2, "exchanges": {"manifests/faces.csv": ".fer/faces.csv"}}
    (project.root / ".fer" / "commit.json").write_text(json.dumps(record), encoding="utf-8")
    assert fercli.frame(project, "faces")["face_id"].tolist() == ["v/f9-0"]
    assert project.required_rows(Face, read=read_rows) == faces


def test_unknown_table_is_named_with_the_known_ones(project: Project) -> None:
    with pytest.raises(UsageError, match="no table 'face' in 'p'") as caught:
        fercli.frame(project, "face")
    assert caught.value.hint == "Did you mean 'faces'?"


def test_table_that_is_not_made_yet_names_its_command(project: Project) -> None:
    with pytest.raises(MissingStageError, match="'p' has no votes yet") as caught:
        fercli.frame(project, "votes")
    assert caught.value.hint == "Run: fer labels import FILE (or label faces here: fer annotate)"


def test_id_that_stands_there_twice_is_refused(project: Project) -> None:
    path = project.table_path(Face)
    path.write_text(path.read_text(encoding="utf-8").replace("v/f2-0", "v/f1-0"), encoding="utf-8")
    with pytest.raises(TableError, match="duplicate face_id 'v/f1-0'"):
        fercli.frame(project, "faces")


def test_columns_that_are_asked_for_are_those_of_the_whole_table(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", name="p", classes=("happy", "sad"))
    faces = [
        Face(f"v/f{i}-0", f"v/f{i}", "v", status="dropped" if i % 3 else "given", subject_id="s1") for i in range(9)
    ]
    project.write_rows(faces, Face)
    whole, part = frame(project, "faces"), frame(project, "faces", ("status", "face_id"))
    pd.testing.assert_frame_equal(part, whole[["status", "face_id"]], check_like=True)
    assert is_usable(part).tolist() == [face.is_usable for face in faces]


def test_columns_of_a_table_with_quoted_cells_can_be_asked_for(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", name="p", classes=("happy", "sad"))
    project.write_rows([Face("v/f0-0", "v/f0", "v", reason='too "small", blurred')], Face)
    assert frame(project, "faces", ("reason",)).to_dict("list") == {"reason": ['too "small", blurred']}
