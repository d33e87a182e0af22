"""What every votes format is read into: judgements as a file states them, before faces and labels are known."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from fercli.core.rows import Chosen, Suggested

# Ten votes of FERPlus are counts: nobody knows who gave which. Such ballots have a number, but no person behind it.
BALLOT_PREFIX = "ballot"


class RawVote(NamedTuple):
    """One judgement in a file; a NamedTuple, because a million of these cost a third of a frozen dataclass.

    `item` is a face id, a file name, a path or "row N"; `label` is the word in the file; `suggested` and `chosen` are
    those of `core.rows.Vote`.
    """

    item: str
    annotator: str
    label: str
    confidence: float | None = None
    created_at: str = ""
    suggested: Suggested = ""
    chosen: Chosen = ""


@dataclass(frozen=True)
class RawVotes:
    """All judgements of one file or folder.

    Args:
        format: the form that was read, e.g. "csv-long".
        reason: what in the file showed that form.
        num_skipped: items that an annotator left out or skipped; no votes.
        gold: judgements marked as known truth; no votes.
        conflicts: items with two labels from one annotator at once; no votes.
        notes: what was guessed or passed over, to be said aloud; without the name of an annotator.
        guessed: the annotator's name where the file names nobody and its own name stands for somebody.
        people: names of one person, as the file shows: number and e-mail address in Label Studio.
        entries: the tool's own number of a judgement -> its item and time, and who gave it: two exports of one
            project share them, and so show who is who.
        holds: what is in the file, for whoever finds no votes in it.
        advice: what to try where its labels are no classes.
        is_dense: there is a judgement for every frame of a video, so those of frames that were not kept are no fault.
    """

    format: str
    reason: str
    votes: list[RawVote]
    num_skipped: int = 0
    gold: list[RawVote] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    guessed: str = ""
    people: list[tuple[str, ...]] = field(default_factory=list)
    entries: dict[str, tuple[str, str]] = field(default_factory=dict)
    holds: str = ""
    advice: str = ""
    is_dense: bool = False


_UTC_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")


def utc_stamp(text: str) -> str:
    """A time stamp as UTC in ISO 8601 with a final Z, so that text order is time order; other text unchanged.

    A stamp without a zone counts as UTC: the votes of one file share their zone, and only their order matters.
    """
    # Parsing costs seconds for a million stamps that are mostly of this form; a wrong day in one only sorts wrongly.
    if not text or _UTC_STAMP.fullmatch(text):
        return text
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return text
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat() + "Z"


def stamp_order(created_at: str) -> str:
    """A key that sorts stamps of `utc_stamp` by time; empty for what is no stamp."""
    is_stamp = created_at.endswith("Z") and created_at[4:5] == "-"
    # Without its Z, "10:00:00" sorts before "10:00:00.5".
    return created_at[:-1] if is_stamp else ""


def ballot(number: int) -> str:
    """The annotator of the `number`-th anonymous vote on a face."""
    return f"{BALLOT_PREFIX}{number:02d}"


def is_ballot(annotator: str) -> bool:
    """Whether this annotator is only a number on an anonymous count."""
    return annotator.startswith(BALLOT_PREFIX) and annotator.removeprefix(BALLOT_PREFIX).isdigit()


def listed(words: Iterable[str], limit: int = 5) -> str:
    """The first words of a list in quotes, and how many more there are."""
    words = list(words)
    shown = ", ".join(f"'{word}'" for word in words[:limit])
    return shown if len(words) <= limit else f"{shown} and {len(words) - limit} more"
