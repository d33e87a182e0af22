"""Read text files from other programs as lines: detect the encoding, drop the byte-order mark, bound the length."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fercli.core.errors import InputError

# A row of votes has some hundred characters; whoever writes a million without a line break writes no table.
MAX_LINE_CHARS = 1_000_000
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class TextEncoding:
    """How a file's bytes become letters; `note` is not empty when that was a guess which should be said aloud."""

    name: str
    note: str = ""


def find_encoding(path: Path) -> TextEncoding:
    """Tell UTF-8 and UTF-16 (by its mark) from Windows-1252, the encoding in which Excel saves "CSV".

    Raises:
        InputError: the file cannot be read, is binary, or is in neither encoding.
    """
    head = read_head(path, 4096)
    for mark, name in _MARKS:
        if head.startswith(mark):
            _check_decodes(path, name)
            return TextEncoding(name)
    if b"\0" in head:
        raise InputError(f"{path}: not a text file", hint="Export the votes as CSV, JSON or XML.")
    if _decodes(path, "utf-8"):
        return TextEncoding("utf-8")
    _check_decodes(path, "cp1252")
    return TextEncoding("cp1252", f"{path.name}: not UTF-8, read as Windows-1252; check names with accents")


def bounded_lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines of a text file with their ends.

    Raises:
        InputError: a line is longer than MAX_LINE_CHARS.
    """
    with path.open(encoding=encoding, newline="") as file:
        number = 0
        while line := file.readline(MAX_LINE_CHARS + 1):
            number += 1
            if len(line) > MAX_LINE_CHARS:
                raise InputError(
                    f"{path}:{number}: the line is longer than {MAX_LINE_CHARS:,} characters",
                    hint="Check that it is a table, and export the votes again, one per line.",
                )
            yield line


def read_head(path: Path, num_bytes: int) -> bytes:
    """The first bytes of a file.

    Raises:
        InputError: the file does not exist, cannot be read, or is empty.
    """
    try:
        with path.open("rb") as file:
            head = file.read(num_bytes)
    except FileNotFoundError as error:
        raise InputError(f"{path}: does not exist", hint="Check the path.") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}", hint="Check its permissions.") from error
    if not head:
        raise InputError(f"{path}: is empty", hint="Save or export it again.")
    return head


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _check_decodes(path: Path, encoding: str) -> None:
    if not _decodes(path, encoding):
        tried = "UTF-16" if encoding == "utf-16" else "neither UTF-8 nor Windows-1252"
        raise InputError(
            f"{path}: is {'corrupt ' if encoding == 'utf-16' else ''}{tried} text", hint="Save it as UTF-8."
        )
