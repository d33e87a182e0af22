import json
import zipfile
from pathlib import Path

import pytest

from fercli.core.errors import InputError
from fercli.labels.formats.registry import READERS, VotesHints, detect_format, read_votes

FERPLUS = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("face_id,annotator,label\n", "csv"),
        ("face_id;anna;ben\n", "csv"),
        ("\ufeffface_id,anna\n", "csv"),
        (FERPLUS, "ferplus"),
        ("annotation_id,annotator,created_at,emotion,image\n", "label-studio"),
        (" [\n", "label-studio"),
        ("<?xml version='1.0'?><annotations/>", "cvat"),
        ("<annotations/>", "cvat"),
    ],
)
def test_format_is_told_by_content_whatever_the_name(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "votes.dat"
    path.write_text(text, encoding="utf-8")
    assert detect_format(path) == expected


def test_folder_and_zip_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("annotations.xml", "<annotations/>")
    assert detect_format(path) == "cvat"
    assert detect_format(tmp_path) == "folder"


def test_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("votes.csv", "face_id,annotator,label\n")
    with pytest.raises(InputError, match=r"zip file without annotations\.xml"):
        detect_format(path)


def test_zip_that_is_cut_short_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("annotations.xml", "<annotations/>")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match="incomplete or corrupt"):
        detect_format(path)


def test_excel_workbook_gets_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "votes.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(InputError, match="Excel workbooks are not supported") as caught:
        detect_format(path)
    assert "CSV" in caught.value.hint


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: does not exist"):
        read_votes(tmp_path / "none.csv")


def test_every_format_that_can_be_asked_for_has_a_reader_and_says_why_it_was_taken(tmp_path: Path) -> None:
    csv, xml, counts, tasks = (tmp_path / name for name in ("v.csv", "v.xml", "counts.csv", "v.json"))
    csv.write_text("face_id,annotator,label\nx,a,happy\n")
    xml.write_text("<annotations><image name='x'><tag label='happy'/></image></annotations>")
    counts.write_text(FERPLUS + "Training,x,10,0,0,0,0,0,0,0,0,0\n")
    value = {"type": "choices", "from_name": "e", "value": {"choices": ["happy"]}}
    tasks.write_text(
        json.dumps([{"data": {"image": "x.png"}, "annotations": [{"completed_by": 1, "result": [value]}]}])
    )
    (tmp_path / "f" / "anna" / "happy").mkdir(parents=True)
    (tmp_path / "f" / "anna" / "happy" / "x.png").write_bytes(b"")
    paths = {"csv": csv, "label-studio": tasks, "cvat": xml, "ferplus": counts, "folder": tmp_path / "f"}
    assert paths.keys() == READERS.keys()
    for name, path in paths.items():
        raw = read_votes(path, hints=VotesHints())
        assert raw.format.startswith(name)
        assert raw.reason
        assert raw.votes
