"""Votes in CVAT's exports, "for images" or "for video": tags, boxes or their attributes, in XML or a zip with one."""

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol, cast, runtime_checkable
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from fercli.core.errors import InputError
from fercli.core.words import counted
from fercli.labels.formats.rawvotes import RawVote, RawVotes
from fercli.labels.formats.textfile import read_head
from fercli.labels.matching import boxed_item

MAX_XML_BYTES = 1_000_000_000
# A box with its attributes is four deep; an image with a hundred thousand boxes is none of CVAT's.
MAX_DEPTH = 20
MAX_PARTS = 100_000
# A track has a box with its attributes for each frame of the video.
MAX_TRACK_PARTS = 2_000_000
# What CVAT set itself: its models, and what it makes of the replicas of a job, beside which it is no further vote.
_BY_MACHINE = {"auto": "automatic marks", "consensus": "marks by consensus, which repeat those of the replicas,"}
# The name of a frame in an export of images from a video.
_VIDEO_FRAME = re.compile(r"^frame_(\d{6,})(?:\.\w+)?$", re.IGNORECASE)
_XML_NAME = "annotations.xml"
_HINT = 'Export the job as "CVAT for images 1.1".'


@runtime_checkable
class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""


def read_cvat(
    path: Path, *, annotator: str = "", attribute: str = "", is_class: Callable[[str], bool] = lambda _: True
) -> RawVotes:
    """Read votes from a CVAT export, of images or of video; nothing of a zip is written to disk.

    CVAT does not say who set a mark, so all of a job or task are its assignee's. An image without mark is no vote, two
    different ones of the same person are a conflict; what CVAT set itself (`source` auto or consensus) is left out.
    The label of a tag is the vote, where no tag names a class that of a box, with `attribute` its value.

    Args:
        path: annotations.xml, or the zip with it.
        annotator: who voted, where the file names no assignee; else the file's stem stands for them.
        attribute: take this attribute of tags and boxes; each box of a frame is an item of its own.
        is_class: whether a word is a class of the project.

    Raises:
        InputError: not such an export, entities in the XML, a zip that is broken or hides its size, no such attribute.
    """
    found = _Found(path, annotator or path.stem)
    with _open_xml(path) as file:
        for element in _parts(path, file):
            found.take(element)
    return found.as_votes(attribute, is_class, is_named=bool(annotator))


class _Mark(NamedTuple):
    """One tag, or one box (or other shape), set by hand."""

    item: str
    who: str
    is_tag: bool
    label: str
    attributes: dict[str, str]

    def word(self, attribute: str) -> str:
        """What it says."""
        return self.attributes.get(attribute, "") if attribute else self.label


@dataclass
class _Found:
    """What an export holds, and what has been passed over."""

    path: Path
    somebody: str
    assignees: dict[str, str] = field(default_factory=dict)
    source: str = ""
    is_project: bool = False
    marks: list[_Mark] = field(default_factory=list)
    looked_at: dict[tuple[str, str], None] = field(default_factory=dict)
    passed_over: Counter[str] = field(default_factory=Counter)
    num_images: int = 0
    num_tracks: int = 0
    num_filled_in: int = 0
    has_nobody: bool = False

    def take(self, element: Element) -> None:
        """Take the <meta>, an <image> or a <track>."""
        if element.tag == "meta":
            self._take_meta(element)
        elif element.tag == "image":
            self._take_image(element)
        else:
            self._take_track(element)

    def as_votes(self, attribute: str, is_class: Callable[[str], bool], *, is_named: bool) -> RawVotes:
        """The votes among the marks."""
        chosen = self._chosen(attribute, is_class)
        answers: dict[tuple[str, str], list[str]] = {place: [] for place in self.looked_at}
        for mark in chosen:
            words = answers.setdefault((mark.item, mark.who), [])
            if mark.word(attribute) and mark.word(attribute) not in words:
                words.append(mark.word(attribute))
        votes = [RawVote(item, who, words[0]) for (item, who), words in answers.items() if len(words) == 1]
        conflicts = [f"{item}: {', '.join(words)}" for (item, _), words in answers.items() if len(words) > 1]
        marked = {item.partition("@")[0] for (item, _), words in answers.items() if words}
        num_skipped = sum(item not in marked for item, _ in self.looked_at)
        form = "cvat-video" if self.num_tracks else "cvat"
        what = f"attribute '{attribute}'" if attribute else "tags" if any(mark.is_tag for mark in chosen) else "boxes"
        reason = f"XML with {'tracks of boxes' if self.num_tracks else 'images'}, and votes in {what}"
        is_guess = self.has_nobody and not is_named and bool(votes or conflicts)
        return RawVotes(
            form, reason, votes, num_skipped, [], conflicts, self._notes(chosen),
            guessed=self.somebody if is_guess else "", holds=self._holds(), advice=self._advice(),
            is_dense=bool(self.num_tracks),
        )  # fmt: skip

    def _take_meta(self, meta: Element) -> None:
        self.is_project = meta.find("./project") is not None
        owners = [*meta.findall("./job"), *meta.findall("./task"), *meta.findall("./project/tasks/task")]
        for owner in owners:
            name = (owner.findtext("./assignee/username") or "").strip()
            number = (owner.findtext("./id") or "").strip() if self.is_project else ""
            if name:
                self.assignees.setdefault(number, name)
        source = meta.findtext("./source") or meta.findtext("./task/source") or meta.findtext("./job/source") or ""
        self.source = PurePosixPath(source.strip().replace("\\", "/")).stem

    def _who(self, element: Element) -> str:
        name = self.assignees.get(element.get("task_id", "") if self.is_project else "")
        self.has_nobody = self.has_nobody or name is None
        return name or self.somebody

    def _take_image(self, image: Element) -> None:
        self.num_images += 1
        name, who = image.get("name", ""), self._who(image)
        if self.source and (match := _VIDEO_FRAME.match(name)):
            name = f"{self.source}/f{int(match[1]):06d}"
        self.looked_at.setdefault((name, who))
        for part in image:
            if self._is_by_hand(part):
                item = name if part.tag == "tag" else _boxed(name, part)
                self.marks.append(_Mark(item, who, part.tag == "tag", part.get("label", ""), _attributes(part)))

    def _take_track(self, track: Element) -> None:
        if self.is_project or not self.source:
            why = "of a whole project" if self.is_project else "that does not name its video"
            hint = "Export each task by itself." if self.is_project else 'Export it as "CVAT for images 1.1".'
            raise InputError(f"{self.path}: an export of CVAT for video {why}", hint=hint)
        self.num_tracks += 1
        who, label = self._who(track), track.get("label", "")
        if not self._is_by_hand(track):
            return
        for box in track:
            if box.get("outside") == "1" or not (box.get("frame") or "").isdecimal():
                continue
            self.num_filled_in += box.get("keyframe") == "0"
            item = _boxed(f"{self.source}/f{int(box.get('frame', '0')):06d}", box)
            self.marks.append(_Mark(item, who, False, label, _attributes(box)))

    def _is_by_hand(self, part: Element) -> bool:
        source = part.get("source", "")
        if source not in _BY_MACHINE:
            return True
        self.passed_over[_BY_MACHINE[source]] += 1
        return False

    def _chosen(self, attribute: str, is_class: Callable[[str], bool]) -> list[_Mark]:
        if attribute:
            chosen = [mark for mark in self.marks if attribute in mark.attributes]
            if self.marks and not chosen:
                names = sorted({name for mark in self.marks for name in mark.attributes})
                hint = f"They have: {', '.join(names)}." if names else "They have no attributes at all."
                raise InputError(f"{self.path}: no tag or box has an attribute '{attribute}'", hint=hint)
            return chosen
        tags, boxes = ([mark for mark in self.marks if mark.is_tag is kind] for kind in (True, False))
        has_class = [any(is_class(mark.label) for mark in marks) for marks in (tags, boxes)]
        return boxes if not tags or has_class == [False, True] else tags

    def _notes(self, chosen: Sequence[_Mark]) -> list[str]:
        notes = [f"{number:,} {what} were passed over" for what, number in self.passed_over.items()]
        if len(chosen) < len(self.marks):
            notes.append(
                f"{counted(len(self.marks) - len(chosen), 'other tag or box was', 'other tags and boxes were')} "
                "passed over"
            )
        if self.num_filled_in:
            notes.append(
                f"{counted(self.num_filled_in, 'box lies', 'boxes lie')} between the frames that "
                f"somebody marked: CVAT moved them"
            )
        return notes

    def _holds(self) -> str:
        parts = [counted(self.num_images, "image")] if self.num_images or not self.num_tracks else []
        parts += [counted(self.num_tracks, "track")] if self.num_tracks else []
        tags = sum(mark.is_tag for mark in self.marks)
        parts += [counted(tags, "tag"), counted(len(self.marks) - tags, "box", "boxes")]
        parts += [f"{number:,} {what}" for what, number in self.passed_over.items()]
        return f"CVAT for {'video' if self.num_tracks else 'images'} with {', '.join(parts)}"

    def _advice(self) -> str:
        names = sorted({name for mark in self.marks for name in mark.attributes})
        return f"Its tags or boxes have attributes ({', '.join(names)}): --cvat-attribute {names[0]}" if names else ""


def _attributes(part: Element) -> dict[str, str]:
    return {entry.get("name", ""): (entry.text or "").strip() for entry in part.iter("attribute")}


def holds_cvat(path: Path) -> bool:
    """Whether a zip has a member called annotations.xml."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(PurePosixPath(name).name == _XML_NAME for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def _parts(path: Path, file: Readable) -> Iterator[Element]:
    """The <meta>, each <image> and each <track> in turn; only one of them is in memory at a time."""
    open_elements: list[Element] = []
    num_parts = 0
    for event, element in _elements(path, file):
        if event == "start":
            open_elements.append(element)
            num_parts += 1
            if len(open_elements) == 1:
                _check_root(path, element)
            is_track = len(open_elements) > 1 and open_elements[1].tag == "track"
            if len(open_elements) > MAX_DEPTH or num_parts > (MAX_TRACK_PARTS if is_track else MAX_PARTS):
                raise InputError(f"{path}: too many or too deeply nested elements in one image", hint=_HINT)
            continue
        open_elements.pop()
        if len(open_elements) == 1:
            num_parts = 0
            if element.tag in ("meta", "image", "track"):
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


def _boxed(name: str, part: Element) -> str:
    try:
        left, top, right, bottom = (float(part.get(side, "")) for side in ("xtl", "ytl", "xbr", "ybr"))
    except ValueError:
        return name
    return boxed_item(name, left, top, right - left, height=bottom - top)


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
        raise InputError(
            f"{path}: the zip contains {counted(len(members), 'file')} called {_XML_NAME} instead of one", hint=_HINT
        )
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
