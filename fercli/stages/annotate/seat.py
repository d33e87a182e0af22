"""One annotator at the page: which faces come next, which window has them, and what was said of them."""

import re
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fercli.core.errors import UsageError
from fercli.core.rows import Chosen, Suggested
from fercli.labels.formats.rawvotes import utc_stamp
from fercli.labels.journal import Cast, Journal
from fercli.labels.matching import blind_code
from fercli.labels.order import Item

# A window that has said nothing for so long is gone, and its faces go to the others.
_GONE_S = 300.0
_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_MAX_COMMENT, _MAX_SECONDS = 1000, 86_400


@dataclass(frozen=True)
class Rules:
    """What the votes of a page may say, and how they are marked.

    Attributes:
        labels: the classes, and what says that a face has none.
        chosen: why the faces are shown.
        suggests: whether suggestions are shown, and when; empty where they are not.
    """

    labels: Collection[str]
    chosen: Chosen = ""
    suggests: Suggested = ""


@dataclass
class Seat:
    """The place of one annotator; any number of threads.

    Attributes:
        annotator: a pseudonym.
        items: all faces to be shown, in order.
        voted: those that the annotator has voted on before, by the time of the vote.
        elsewhere: finds any face by the name that some page was told: a vote may have waited in the browser for long.
    """

    annotator: str
    journal: Journal
    rules: Rules
    items: Sequence[Item]
    voted: Mapping[Item, str] = field(default_factory=dict)
    elsewhere: Callable[[str], Item | None] = lambda _: None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._guard = threading.RLock()
        self._places = {item: place for place, item in enumerate(self.items)}
        self._done = {item for item in self.voted if item in self._places}
        self._skipped: set[Item] = set()
        self._given: dict[str, Item] = {}  # by the names that were told to windows
        self._first = 0
        self._leases: dict[str, tuple[float, set[Item]]] = {}
        for cast in self.journal.standing.values():
            self._count(cast)

    def item_of(self, code: str) -> Item:
        """The face behind the name by which the page knows it.

        Raises:
            UsageError: it is not one of this annotator's.
        """
        item = self._given.get(code) or self.elsewhere(code)
        if item is None:
            raise UsageError("this face is not on your list", hint="Reload the page.")
        return item

    def next_codes(self, window: str, held: Collection[str], num: int, *, again: bool = False) -> list[str]:
        """The next faces for a window, besides those that it holds; what it no longer holds is free again.

        Args:
            window: the page's name for itself.
            held: what it has and has not voted on.
            num: at most so many.
            again: those that were left out, too.
        """
        with self._guard:
            if again:
                self._skipped.clear()
                self._first = 0
            mine = {self._given[code] for code in held if code in self._given}
            others = self._leased(but=window)
            found: list[str] = []
            is_start = True
            for place in range(self._first, len(self.items)):
                item = self.items[place]
                is_over = item in self._done or item in self._skipped
                if is_start and is_over:
                    self._first = place + 1
                is_start = is_start and is_over
                if is_over or item in mine or item in others:
                    continue
                if len(found) == num:
                    break
                code = blind_code(*item)
                self._given[code] = item
                found.append(code)
                mine.add(item)
            self._leases[window] = (self.clock(), mine)
            return found

    def save(self, given: Mapping[str, Any]) -> Cast:
        """Have a vote of the page on disk; the same one again is that one.

        Args:
            given: JSON: id, code, label, at, and if need be seconds, unsure, comment, or `undo`, the id of a vote.

        Raises:
            UsageError: it says what no page of ours says.
            ProjectError: the disk is full.
        """
        with self._guard:
            cast = self._undoing(given) if given.get("undo") else self._cast(given)
            if not self._is_imported(cast) and self.journal.add(cast):
                self._count(cast)
            return cast

    def leave(self, window: str) -> None:
        """Free the faces of a window that was closed."""
        with self._guard:
            self._leases.pop(window, None)

    def has_windows(self) -> bool:
        """Whether anybody looks at the page."""
        with self._guard:
            self._leased(but="")
            return bool(self._leases)

    def counts(self) -> dict[str, int]:
        """How far the annotator is."""
        with self._guard:
            return {"total": len(self.items), "done": len(self._done), "skipped": len(self._skipped - self._done)}

    def _leased(self, but: str) -> set[Item]:
        now = self.clock()
        self._leases = {name: lease for name, lease in self._leases.items() if now - lease[0] < _GONE_S}
        return {item for name, (_, items) in self._leases.items() if name != but for item in items}

    def _count(self, cast: Cast) -> None:
        item: Item = (cast.face_id, cast.copy)
        if cast.undoes:
            self._done.discard(item)
            self._skipped.discard(item)
            self._first = min(self._first, self._places.get(item, 0))
        elif item not in self._places:
            return  # of an earlier page, with other faces
        elif cast.label:
            self._done.add(item)
        else:
            self._skipped.add(item)

    def _cast(self, given: Mapping[str, Any]) -> Cast:
        item = self.item_of(str(given.get("code")))
        label = given.get("label")
        if label != "" and label not in self.rules.labels:
            raise UsageError(f"'{label}' is not a class of this project", hint="Reload the page.")
        seconds = given.get("seconds")
        is_number = isinstance(seconds, int | float) and 0 <= seconds <= _MAX_SECONDS
        later: Suggested = "after" if item in self.journal.told else ""
        suggested: Suggested = "before" if self.rules.suggests == "before" else later
        return Cast(
            id=_checked_id(given.get("id")),
            face_id=item[0],
            copy=item[1],
            label=str(label),
            at=_moment(given.get("at")),
            seconds=round(float(seconds), 3) if is_number and seconds is not None else None,
            is_unsure=given.get("unsure") is True,
            comment=" ".join(str(given.get("comment") or "").split())[:_MAX_COMMENT],
            suggested=suggested if label else "",
            chosen=self.rules.chosen,
            has_seen=self.rules.suggests == "after" and bool(label),
        )

    def _undoing(self, given: Mapping[str, Any]) -> Cast:
        item = self.item_of(str(given.get("code")))
        undone = self.journal.standing.get(str(given["undo"]))
        at = undone.at if undone else _moment(given.get("undo_at"))
        return Cast(
            id=_checked_id(given.get("id")),
            face_id=item[0],
            copy=item[1],
            label="",
            at=at,
            undoes=_checked_id(given["undo"]),
            undone_at=_moment(given.get("at")),
        )

    def _is_imported(self, cast: Cast) -> bool:
        """Whether it came before, and was imported, but the page never heard that it was saved."""
        return not cast.undoes and bool(cast.at) and self.voted.get((cast.face_id, cast.copy)) == cast.at


def _checked_id(given: object) -> str:
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise UsageError("a vote needs an id", hint="Reload the page.")
    return given


def _moment(given: object) -> str:
    """The page's time of a vote, in microseconds; never in the future, where it would outlast later votes."""
    now = datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(str(given))
        moment = min(moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC), now)
    except (ValueError, OverflowError):
        moment = now
    return utc_stamp(moment.isoformat(timespec="microseconds"))
