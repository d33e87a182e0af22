"""One annotator's votes as they are given: a file that is only added to, each line on disk before it is "saved"."""

import csv
import io
import json
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from fercli.core.files import storage_error, sync_folder
from fercli.core.rows import Chosen, Suggested
from fercli.labels.matching import blind_code

# What an annotator who is not sure of a vote says of it; one who is sure says nothing.
UNSURE = 0.5
_FORMULA = ("=", "+", "-", "@")
COLUMNS = (
    "item",
    "face",
    "annotator",
    "label",
    "confidence",
    "created_at",
    "suggested",
    "chosen",
    "seconds",
    "comment",
)


@dataclass(frozen=True, slots=True)
class Cast:
    """One thing that an annotator did with a face.

    Attributes:
        id: made by the page; the same one twice is the same vote sent twice.
        face_id: the face.
        copy: 2 where the face was shown for the second time.
        label: a class, unknown or nf; empty where the face was left out.
        at: when, UTC in ISO 8601 with a final Z.
        seconds: how long the face was looked at.
        is_unsure: the annotator was not sure.
        has_seen: a suggestion was shown once the vote was given.
        undoes: the id of the vote that this takes back; `undone_at` is its time.
    """

    id: str
    face_id: str
    copy: Literal[1, 2]
    label: str
    at: str
    seconds: float | None = None
    is_unsure: bool = False
    comment: str = ""
    suggested: Suggested = ""
    chosen: Chosen = ""
    has_seen: bool = False
    undoes: str = ""
    undone_at: str = ""


@dataclass(frozen=True)
class JournalPart:
    """What a journal holds from a place on.

    Attributes:
        casts: what stands, oldest first; without what was undone within the part.
        withdrawn: what took back a vote from before the part.
        end: the place behind its last whole line, bytes.
        num_torn: lines that a kill cut short; nobody was told that they were saved.
    """

    casts: tuple[Cast, ...]
    withdrawn: tuple[Cast, ...]
    end: int
    num_torn: int = 0

    def __len__(self) -> int:
        return len(self.casts) + len(self.withdrawn)


@dataclass
class Journal:
    """The open journal of one annotator; one process at a time, any number of threads.

    Attributes:
        standing: the votes that were not undone, by id.
        told: faces (and their copies) of which the annotator has seen a suggestion, undone votes included.
    """

    path: Path
    standing: dict[str, Cast] = field(default_factory=dict)
    told: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._guard = threading.Lock()
        self._seen: set[str] = set()
        self._is_torn = False
        data = self.path.read_bytes() if self.path.exists() else b""
        self._is_torn = bool(data) and not data.endswith(b"\n")
        for cast in _casts(data):
            self._take(cast)

    def add(self, cast: Cast) -> bool:
        """Have a vote, or its undoing, on disk; False where it was there before.

        Raises:
            ProjectError: the disk is full or cannot be written; the vote is not saved then.
        """
        with self._guard:
            if cast.id in self._seen:
                return False
            self._append(json.dumps(asdict(cast), ensure_ascii=False, separators=(",", ":")) + "\n")
            self._take(cast)
            return True

    def _take(self, cast: Cast) -> None:
        if cast.id in self._seen:
            return
        self._seen.add(cast.id)
        if cast.has_seen:
            self.told.add((cast.face_id, cast.copy))
        if cast.undoes:
            self.standing.pop(cast.undoes, None)
        else:
            self.standing[cast.id] = cast

    def _append(self, line: str) -> None:
        is_new = not self.path.exists()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                # What a kill or a full disk cut short ends here, and is no line.
                file.write((("\n" if self._is_torn else "") + line).encode("utf-8"))
                self._is_torn = True
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                sync_folder(self.path.parent)
        except OSError as error:
            raise storage_error(error, self.path) from error
        self._is_torn = False


def read_journal(path: Path, start: int = 0) -> JournalPart:
    """What stands in a journal from byte `start` on; another process may be adding to it."""
    data = path.read_bytes()[start:] if path.exists() else b""
    data = data[: data.rfind(b"\n") + 1]
    standing: dict[str, Cast] = {}
    withdrawn: list[Cast] = []
    seen: set[str] = set()
    lines = list(_casts(data))
    for cast in lines:
        if cast.id in seen:
            continue
        seen.add(cast.id)
        if not cast.undoes:
            standing[cast.id] = cast
        elif not standing.pop(cast.undoes, None):
            withdrawn.append(cast)
    num_torn = sum(bool(line.strip()) for line in data.splitlines()) - len(lines)
    return JournalPart(tuple(standing.values()), tuple(withdrawn), start + len(data), num_torn)


def journal_csv(parts: Sequence[tuple[str, JournalPart]]) -> str:
    """Journals as a long table of votes, for `read_csv`; a face left out, or a vote taken back, has no label.

    Args:
        parts: annotators, and what each did.
    """
    rows = [_row(annotator, cast) for annotator, part in parts for cast in (*part.casts, *part.withdrawn)]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([COLUMNS, *rows])
    return out.getvalue()


def _row(annotator: str, cast: Cast) -> tuple[object, ...]:
    # A spreadsheet would compute what begins like a formula.
    comment = f"'{cast.comment}" if cast.comment.startswith(_FORMULA) else cast.comment
    word, remark = ("", "(withdrawn)") if cast.undoes else (cast.label, comment)
    confidence = UNSURE if cast.is_unsure else ""
    seconds = "" if cast.seconds is None else cast.seconds
    marks = cast.suggested, cast.chosen
    return (_item(cast), cast.face_id, annotator, word, confidence, cast.at, *marks, seconds, remark)


def _item(cast: Cast) -> str:
    """The face, under its second name where it was shown again."""
    return cast.face_id if cast.copy == 1 else blind_code(cast.face_id, cast.copy)


def _casts(data: bytes) -> Iterator[Cast]:
    for line in data.split(b"\n"):
        try:
            values: dict[str, Any] = json.loads(line)  # the fields of a Cast
            yield Cast(**values)
        except (ValueError, TypeError):
            continue  # cut short by a kill
