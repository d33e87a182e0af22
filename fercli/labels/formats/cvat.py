"""Votes in "CVAT for images 1.1": tags, or an attribute of boxes, in an XML file or a zip that holds one."""

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol, cast, runtime_checkable
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from fercli.core.errors import InputError
from fercli.labels.formats.rawvotes import RawVote, RawVotes
from fercli.labels.formats.textfile import read_head
from fercli.labels.matching import boxed_item

MAX_XML_BYTES = 1_000_000_000
# A box with its attributes is four deep; an image with a hundred thousand boxes is none of CVAT's.
MAX_DEPTH = 20
MAX_PARTS = 100_000
_XML_NAME = "annotations.xml"
_HINT = 'Export the job as "CVAT for images 1.1".'


@runtime_checkable
class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""


def read_cvat(path: Path, *, annotator: str = "", attribute: str = "") -> RawVotes:
    """Read votes from a CVAT export; nothing of a zip is written to disk.

    CVAT does not say who set a tag, so all of a file are its assignee's; replicas are exported job by job. An image
    without tag is no vote, two tags are a conflict, tags with `source="auto"` are left out.

    Args:
        path: annotations.xml, or the zip with it.
        annotator: who voted, where the file names no assignee; else the file's stem stands for them.
        attribute: take this attribute of the boxes instead of tags; each box of a frame is an item of its own.

    Raises:
        InputError: not such an export, entities in the XML, a zip that is broken or hides its size.
    """
    votes, conflicts, num_skipped, assignee = [], [], 0, ""
    with _open_xml(path) as file:
        for element in _parts(path, file):
            if element.tag == "meta":
                assignee = _assignee(element)
                continue
            found = _box_words(element, attribute) if attribute else _tag_words(element)
            for item, words in found.items():
                if len(words) > 1:
                    conflicts.append(f"{item}: {', '.join(words)}")
                votes += [RawVote(item, "", words[0])] if len(words) == 1 else []
            num_skipped += not any(found.values())
    who = assignee or annotator or path.stem
    notes = [] if assignee or annotator else [f"{path.name}: no assignee; '{who}' is used as the annotator"]
    votes = [vote._replace(annotator=who) for vote in votes]
    return RawVotes("cvat", "XML with images and tags", votes, num_skipped, [], conflicts, notes)


def holds_cvat(path: Path) -> bool:
    """Whether a zip has a member called annotations.xml."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(PurePosixPath(name).name == _XML_NAME for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def _parts(path: Path, file: Readable) -> Iterator[Element]:
    """The <meta> and each <image> in turn; only one of them is in memory at a time."""
    open_elements: list[Element] = []
    num_parts = 0
    for event, element in _elements(path, file):
        if event == "start":
            open_elements.append(element)
            num_parts += 1
            if len(open_elements) == 1:
                _check_root(path, element)
            if len(open_elements) > MAX_DEPTH or num_parts > MAX_PARTS:
                raise InputError(f"{path}: too many or too deeply nested elements in one image", hint=_HINT)
            continue
        open_elements.pop()
        if len(open_elements) == 1:
            num_parts = 0
            if element.tag in ("meta", "image"):
                yield element
            open_elements[0].clear()


def _elements(path: Path, file: Readable) -> Iterator[tuple[str, Element]]:
    try:
        yield from cast(Iterator[tuple[str, Element]], iterparse(file, events=("start", "end"), forbid_dtd=True))
    except DefusedXmlException as error:
        hint = "CVAT exports have none. Check where the file came from."
        raise InputError(f"{path}: declares entities or a document type, which are not allowed", hint=hint) from error
    except ParseError as error:
        raise InputError(f"{path}: not valid XML: {error}", hint=_HINT) from error


def _check_root(path: Path, element: Element) -> None:
    if element.tag != "annotations":
        raise InputError(f"{path}: the XML begins with <{element.tag}>, not <annotations>", hint=_HINT)


def _assignee(meta: Element) -> str:
    for owner in ("job", "task"):
        name = meta.findtext(f"./{owner}/assignee/username")
        if name and name.strip():
            return name.strip()
    return ""


def _tag_words(image: Element) -> dict[str, list[str]]:
    """The different tags set by hand on one image."""
    tags = [part for part in image if part.tag == "tag" and part.get("source") != "auto"]
    return {image.get("name", ""): _different(tag.get("label", "") for tag in tags)}


def _box_words(image: Element, attribute: str) -> dict[str, list[str]]:
    """The values of an attribute of each box (or other shape) drawn by hand; the box tells which face of a frame."""
    found = {}
    for part in image:
        if part.tag != "tag" and part.get("source") != "auto":
            entries = [entry for entry in part.iter("attribute") if entry.get("name") == attribute]
            words = _different((entry.text or "").strip() for entry in entries)
            found[_boxed(image.get("name", ""), part)] = words
    return found


def _boxed(name: str, part: Element) -> str:
    try:
        left, top, right, bottom = (float(part.get(side, "")) for side in ("xtl", "ytl", "xbr", "ybr"))
    except ValueError:
        return name
    return boxed_item(name, left, top, right - left, height=bottom - top)


def _different(words: Iterable[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word]


@contextmanager
def _open_xml(path: Path) -> Iterator[Readable]:
    if not read_head(path, 4).startswith(b"PK"):
        if path.stat().st_size > MAX_XML_BYTES:
            raise InputError(f"{path}: more than {MAX_XML_BYTES // 10**9} GB of XML", hint="Export job by job.")
        with path.open("rb") as file:
            yield file
        return
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_member(path, archive)) as file:
            yield _Bounded(path, file)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise InputError(f"{path}: the zip cannot be read: {error}", hint=_HINT) from error


def _member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if PurePosixPath(member.filename).name == _XML_NAME]
    if len(members) != 1:
        raise InputError(f"{path}: the zip contains {len(members)} files called {_XML_NAME} instead of one", hint=_HINT)
    parts = PurePosixPath(members[0].filename.replace("\\", "/")).parts
    if ".." in parts or members[0].filename.startswith("/"):
        raise InputError(f"{path}: the zip names a file outside itself: '{members[0].filename}'", hint=_HINT)
    if members[0].file_size > MAX_XML_BYTES:
        raise InputError(f"{path}: unpacks to more than {MAX_XML_BYTES // 10**9} GB", hint="Export job by job.")
    return members[0]


class _Bounded:
    """A file that refuses to give more than MAX_XML_BYTES: a zip's own word on its size may be a lie."""

    def __init__(self, path: Path, file: Readable) -> None:
        self._path, self._file, self._num_read = path, file, 0

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        data = self._file.read(size)
        self._num_read += len(data)
        if self._num_read > MAX_XML_BYTES:
            raise InputError(f"{self._path}: unpacks to more than {MAX_XML_BYTES // 10**9} GB", hint=_HINT)
        return data
