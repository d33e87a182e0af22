from pathlib import Path

import pytest

from fercli.core.errors import InputError
from fercli.labels.formats.csv import read_csv
from fercli.labels.formats.rawvotes import RawVote


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "votes.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_long_file_has_one_vote_to_a_line(tmp_path: Path) -> None:
    text = "face_id,annotator,label,confidence,created_at\nv/f000000-0,anna,happy,0.9,2024-05-01T10:00:00+02:00\n"
    raw = read_csv(written(tmp_path, text))
    assert raw.format == "csv-long"
    assert raw.votes == [RawVote("v/f000000-0", "anna", "happy", 0.9, "2024-05-01T08:00:00Z")]
    assert raw.reason == "the header has face_id, annotator, label"


@pytest.mark.parametrize("item", ["face_id", "task", "item", "image", "filename", "path", "Face ID"])
@pytest.mark.parametrize("who", ["annotator", "worker", "rater", "completed_by"])
@pytest.mark.parametrize("label", ["label", "class", "emotion", "Expression"])
def test_header_words_of_other_tools_are_known(tmp_path: Path, item: str, who: str, label: str) -> None:
    raw = read_csv(written(tmp_path, f"{label},{item},{who}\nhappy,x,anna\n"))
    assert raw.votes == [RawVote("x", "anna", "happy")]


def test_wide_file_has_one_column_to_an_annotator_and_empty_cells_are_no_votes(tmp_path: Path) -> None:
    raw = read_csv(written(tmp_path, "face_id,anna,Ben\nx,happy,\ny,sad,happy\n"))
    assert raw.format == "csv-wide"
    assert raw.votes == [RawVote("x", "anna", "happy"), RawVote("y", "anna", "sad"), RawVote("y", "Ben", "happy")]
    assert raw.num_skipped == 1


@pytest.mark.parametrize(
    "data",
    [
        "face_id;annotator;label\r\nx;anna;happy\r\n",
        "face_id\tannotator\tlabel\nx\tanna\thappy\n",
        "sep=;\r\nface_id;annotator;label\r\nx;anna;happy\r\n",
        '"sep=|"\nface_id|annotator|label\nx|anna|happy\n',
        b"\xef\xbb\xbfface_id,annotator,label\nx,anna,happy\n",
        "face_id\tannotator\tlabel\nx\tanna\thappy\n".encode("utf-16"),
        '"face_id","annotator","label"\n"x","anna","happy"\n',
        'face_id,annotator,label\n="x",anna,happy\n',
        "\n\nface_id,annotator,label,,\nx,anna,happy,,\n,,,,\n",
        "face_id , annotator, label\n x ,anna , happy\n",
        "face_id,annotator,label\rx,anna,happy\r",
        "annotator,label,face_id\nanna,happy,x",
    ],
    ids=[
        "semicolons",
        "tabs",
        "sep line",
        "quoted sep line",
        "byte-order mark",
        "UTF-16",
        "quotes",
        "Excel text",
        "empty lines and columns",
        "blanks",
        "old Mac line ends",
        "another order, no last line end",
    ],
)
def test_forms_that_excel_and_others_write_are_all_the_same(tmp_path: Path, data: str | bytes) -> None:
    assert read_csv(written(tmp_path, data)).votes == [RawVote("x", "anna", "happy")]


def test_decimal_comma_is_a_decimal_point(tmp_path: Path) -> None:
    raw = read_csv(written(tmp_path, "face_id;annotator;label;confidence\nx;anna;happy;0,75\n"))
    assert raw.votes[0].confidence == 0.75


def test_windows_encoding_is_read_and_said(tmp_path: Path) -> None:
    raw = read_csv(written(tmp_path, "face_id,annotator,label\nx,José,happy\n".encode("cp1252")))
    assert raw.votes[0].annotator == "José"
    assert any("Windows-1252" in note for note in raw.notes)


def test_empty_label_is_no_vote(tmp_path: Path) -> None:
    raw = read_csv(written(tmp_path, "face_id,annotator,label\nx,anna,\ny,anna,sad\n"))
    assert (len(raw.votes), raw.num_skipped) == (1, 1)


def test_confidence_that_is_no_number_is_left_out_and_said(tmp_path: Path) -> None:
    raw = read_csv(written(tmp_path, "face_id,annotator,label,confidence\nx,anna,sad,high\n"))
    assert raw.votes[0].confidence is None
    assert raw.notes == ["votes.csv: ignored 1 non-numeric confidence"]


def test_annotator_is_the_one_named_or_the_files_name(tmp_path: Path) -> None:
    path = written(tmp_path, "face_id,label\nx,happy\n")
    assert read_csv(path, annotator="ben").votes[0].annotator == "ben"
    unnamed = read_csv(path)
    assert unnamed.votes[0].annotator == "votes"
    assert "the file name" in unnamed.notes[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\nx,y\n", r"missing column: item \(face_id, .*found a, b"),
        ("face_id\nx\n", "missing column: label"),
        ("face_id,annotator\nx,anna\n", "missing column: label"),
        ("face_id,anna,anna\nx,happy,sad\n", "duplicate column 'anna'"),
        ("face_id,annotator,label\nx,anna,happy,sad\n", r"csv:2: 4 cells in a table of 3 columns"),
        ("face_id,annotator,label\n,anna,happy\n", r"csv:2: label without a face"),
        ("face_id,annotator,label\nx,,happy\n", r"csv:2: label without an annotator"),
        ("\n\n", "missing header line"),
        ('face_id,annotator,label\n"x,anna,happy\n' + "y,ben,sad\n" * 20_000, "cannot be parsed as CSV: field larger"),
    ],
    ids=[
        "no face column",
        "one column",
        "no label column",
        "annotator twice",
        "too many cells",
        "no face",
        "no annotator",
        "only empty lines",
        "open quotation mark",
    ],
)
def test_file_that_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_csv(written(tmp_path, text))
    assert caught.value.hint
