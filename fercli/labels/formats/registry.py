"""Read vote files in any known format; "auto" detects the format from the content."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fercli.core.errors import InputError
from fercli.labels.formats.csv import open_table, read_csv
from fercli.labels.formats.cvat import holds_cvat, read_cvat
from fercli.labels.formats.ferplus import HEADER, read_ferplus
from fercli.labels.formats.folder import read_folder
from fercli.labels.formats.labelstudio import read_label_studio
from fercli.labels.formats.rawvotes import RawVotes, listed
from fercli.labels.formats.textfile import read_head

# A zip with members, and one without.
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

VotesFormat = Literal["csv", "label-studio", "cvat", "ferplus", "folder"]


@dataclass(frozen=True)
class VotesHints:
    """What a file may leave open.

    Args:
        annotator: who voted, where the file does not say.
        control: Label Studio's Choices control (`--field`).
        attribute: CVAT's attribute of tags or boxes (`--cvat-attribute`).
        is_class: whether a word is a class of the project, where a file has labels for several things.
    """

    annotator: str = ""
    control: str = ""
    attribute: str = ""
    is_class: Callable[[str], bool] = lambda _: True


READERS: dict[VotesFormat, Callable[[Path, VotesHints], RawVotes]] = {
    "csv": lambda path, hints: read_csv(path, annotator=hints.annotator),
    "label-studio": lambda path, hints: read_label_studio(path, control=hints.control, annotator=hints.annotator),
    "cvat": lambda path, hints: read_cvat(
        path, annotator=hints.annotator, attribute=hints.attribute, is_class=hints.is_class
    ),
    "ferplus": lambda path, hints: read_ferplus(path),
    "folder": lambda path, hints: read_folder(path, annotator=hints.annotator),
}


def read_votes(
    path: Path, *, votes_format: VotesFormat | Literal["auto"] = "auto", hints: VotesHints | None = None
) -> RawVotes:
    """Read the votes of a file or folder; the result says in which format, and why.

    Raises:
        InputError: the file is missing, hostile, or not of the format; the message names the line where it can.
    """
    if not path.exists():
        raise InputError(f"{path}: does not exist", hint="Check the path of the votes.")
    chosen = detect_format(path) if votes_format == "auto" else votes_format
    return READERS[chosen](path, hints or VotesHints())


def detect_format(path: Path) -> VotesFormat:
    """Tell the format by what is inside; the file's name does not count.

    Raises:
        InputError: the file is empty, or a zip that is broken or of something else.
    """
    if path.is_dir():
        return "folder"
    head = read_head(path, 4096)
    if head.startswith(_ZIP):
        return _zip_format(path)
    start = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if start.startswith("<"):
        return "cvat"
    if start.startswith(("[", "{")):
        return "label-studio"
    header = open_table(path).header
    if tuple(header) == HEADER:
        return "ferplus"
    return "label-studio" if {"annotation_id", "annotator"} <= set(header) else "csv"


def _zip_format(path: Path) -> VotesFormat:
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: incomplete or corrupt zip file", hint="Export or download it again.")
    if holds_cvat(path):
        return "cvat"
    with zipfile.ZipFile(path) as archive:
        if "xl/workbook.xml" in archive.namelist():
            raise InputError(
                f"{path}: Excel workbooks are not supported", hint="Save the sheet as CSV (UTF-8) and import that."
            )
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
    raise InputError(
        f"{path}: zip file without annotations.xml; it holds {listed(names, 3)}",
        hint='From CVAT export "CVAT for images 1.1"; else unpack it and import the files inside.',
    )
