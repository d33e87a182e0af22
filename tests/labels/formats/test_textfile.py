from pathlib import Path

import pytest

from fercli.core.errors import InputError
from fercli.labels.formats import textfile
from fercli.labels.formats.textfile import bounded_lines, find_encoding


@pytest.mark.parametrize(
    ("data", "encoding", "is_guess"),
    [
        ("á,b\n".encode(), "utf-8", False),
        ("á,b\n".encode("utf-8-sig"), "utf-8-sig", False),
        ("á,b\n".encode("utf-16"), "utf-16", False),
        ("á,b\n".encode("cp1252"), "cp1252", True),
    ],
    ids=["utf-8", "utf-8 with mark", "utf-16", "Windows-1252"],
)
def test_encoding_is_found_and_a_guess_is_said(tmp_path: Path, data: bytes, encoding: str, is_guess: bool) -> None:
    path = tmp_path / "votes.csv"
    path.write_bytes(data)
    found = find_encoding(path)
    assert found.name == encoding
    assert bool(found.note) == is_guess
    assert list(bounded_lines(path, found.name)) == ["á,b\n"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"a\0b", "not a text file"),
        (b"\x81\x8d", "neither UTF-8 nor Windows-1252"),
        (b"\xff\xfea", "corrupt UTF-16"),
    ],
    ids=["empty", "binary", "neither", "half a letter"],
)
def test_file_that_is_no_text_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "votes.csv"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        find_encoding(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: does not exist"):
        find_encoding(tmp_path / "none.csv")


def test_line_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(textfile, "MAX_LINE_CHARS", 1000)
    path = tmp_path / "votes.csv"
    path.write_text("short\n" + "x" * 5000)
    with pytest.raises(InputError, match=r"votes\.csv:2: the line is longer than 1,000 characters"):
        list(bounded_lines(path, "utf-8"))
