"""The parts of a report page, as plain values: what a section says, shows and misses."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A picture in the page: PNG or JPEG bytes, words for readers who don't see it, a caption for all.

    A chart follows the dark mode of the page; a picture that shows faces (`is_photo`) is left as it is.
    """

    data: bytes
    alt: str
    caption: str
    is_photo: bool = False


@dataclass(frozen=True)
class Table:
    """A table whose first column names the row; cells are ready to read, `note` stands below.

    `is_folded` hides a long table until the reader opens it; in print it is open.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    is_folded: bool = False


@dataclass(frozen=True)
class Score:
    """One measure, 0 to 1, with its interval; `low` and `high` are None when there is none."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Mark:
    """A line to compare scores with, 0 to 1: the majority class, the human ceiling."""

    name: str
    value: float
    kind: str  # "baseline" or "ceiling": how it is drawn


@dataclass(frozen=True)
class Missing:
    """What this section cannot say yet, and the command that makes it; the command may be empty."""

    what: str
    command: str = ""


@dataclass(frozen=True)
class Section:
    """One headed part of the page; its parts are shown in the order of the fields, folded tables after commands."""

    key: str
    title: str
    text: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    marks: tuple[Mark, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    commands: tuple[str, ...] = ()
    closing: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True)
class Highlight:
    """One figure that a hurried reader should take away, with a line that says what it is."""

    value: str
    name: str
    note: str = ""


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    subtitle: str
    program: str
    highlights: tuple[Highlight, ...]
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]


def percent(value: float | None) -> str:
    """0.7123 as "71.2%"; "-" for nothing."""
    return "-" if value is None else f"{100 * value:.1f}%"


def percent_range(low: float | None, high: float | None) -> str:
    """0.65 and 0.771 as "65.0 to 77.1%"; "-" when there is no interval."""
    return "-" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f}%"


def count(number: int) -> str:
    """28709 as "28,709"."""
    return f"{number:,}"


def duration(seconds: float) -> str:
    """270 as "4 min 30 s", 5,000 as "1 h 23 min"."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
