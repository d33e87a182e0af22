"""A table of words: what is shown on the screen and written into files alike."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TextTable:
    """Words in rows and columns; `notes` are sentences below it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
