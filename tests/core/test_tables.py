import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fercli.core.errors import TableError
from fercli.core.rows import Face, Frame, Label, Subject
from fercli.core.tables import column_names, read_table, table_text, write_table

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=12)
FRAMES = st.builds(
    Frame,
    frame_id=TEXT,
    video_id=TEXT,
    frame_index=st.integers(0, 10**9),
    time_s=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    path=TEXT,
)


@given(st.lists(FRAMES, max_size=5, unique_by=lambda frame: frame.frame_id))
def test_rows_come_back_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, rows: list[Frame]) -> None:
    path = tmp_path_factory.mktemp("table") / "frames.csv"
    write_table(path, rows, Frame)
    assert sorted(read_table(path, Frame), key=repr) == sorted(rows, key=repr)


def test_text_of_a_table_is_the_header_and_sorted_lines() -> None:
    rows = [Subject("s002", "tracks", 2, 1, "b", "b/f1-0"), Subject("s001", "csv", 10, 3, "a", "a/f1-0")]
    assert table_text(rows, Subject).splitlines() == [
        "subject_id,source,num_faces,num_tracks,videos,first_face_id",
        "s001,csv,10,3,a,a/f1-0",
        "s002,tracks,2,1,b,b/f1-0",
    ]


def test_probabilities_are_columns_of_their_classes(tmp_path: Path) -> None:
    label = Label("v/f1-0", "sad", "ok", "majority", 3, 2 / 3, 0.918, {"happy": 1 / 3, "sad": 2 / 3})
    assert column_names(Label, ("happy", "sad"))[-2:] == ["p_happy", "p_sad"]
    write_table(tmp_path / "labels.csv", [label], Label, ("happy", "sad"))
    assert read_table(tmp_path / "labels.csv", Label) == [label]


def test_excel_may_reorder_columns_and_add_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "subjects.csv"
    path.write_text(
        "source,subject_id,num_tracks,num_faces,videos,first_face_id\ncsv,anna,2,7,a,a/f1-0\n", encoding="utf-8-sig"
    )
    assert read_table(path, Subject) == [Subject("anna", "csv", 7, 2, "a", "a/f1-0")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("num_faces", "faces"), "missing column num_faces"),
        (("first_face_id", "first_face_id,note"), "unexpected column note"),
        ((",7,", ",seven,"), "column num_faces cannot hold 'seven'"),
        ((",7,", ",7,8,9,"), ":2: 8 cells instead of 6"),
    ],
    ids=["missing", "foreign", "no number", "too many cells"],
)
def test_a_damaged_table_names_the_place(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "subjects.csv"
    text = table_text([Subject("anna", "csv", 7, 2, "a", "a/f1-0")], Subject)
    path.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(TableError, match=message):
        read_table(path, Subject)


def test_table_of_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "subjects.csv"
    path.write_bytes(table_text([Subject("Zoë", "csv", 7, 2, "a", "a/f1-0")], Subject).encode("cp1252"))
    with pytest.raises(TableError, match=r"subjects\.csv: not UTF-8 text") as caught:
        read_table(path, Subject)
    assert "UTF-8 CSV" in caught.value.hint


def test_a_status_outside_its_closed_choice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_text(table_text([Face("a/f1-0", "a/f1", "a")], Face).replace(",ok,", ",lost,"), encoding="utf-8")
    with pytest.raises(TableError, match="column status cannot hold 'lost'"):
        read_table(path, Face)


def test_a_failed_write_leaves_the_old_table(tmp_path: Path) -> None:
    path = tmp_path / "frames.csv"
    write_table(path, [Frame("a/f1", "a", 1, 0.5, "frames/a/f1.jpg")], Frame)
    before = path.read_bytes()

    @dataclasses.dataclass(frozen=True)
    class Half:
        frame_id: str

    with pytest.raises(AttributeError):
        write_table(path, [Half("b/f1")], Frame)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["frames.csv"]


def test_quote_that_is_never_closed_is_a_table_error(tmp_path: Path) -> None:
    path = tmp_path / "frames.csv"
    header = table_text([], Frame).splitlines()[0]
    path.write_text(f'{header}\n"v/f0,' + "x" * 200_000, encoding="utf-8")
    with pytest.raises(TableError, match="cannot be parsed as CSV") as caught:
        read_table(path, Frame)
    assert "unclosed quotation mark" in caught.value.hint
