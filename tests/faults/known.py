"""Faults that were found and are not mended yet, each with its reason; a test says when one is mended."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A fault of the program.

    Attributes:
        trial: what the names of the trials that show it match.
        wrong: what they say.
        reason: what is wrong.
    """

    trial: re.Pattern[str]
    wrong: re.Pattern[str]
    reason: str


KNOWN: tuple[Known, ...] = ()


def unknown(trial: str, wrong: list[str]) -> list[str]:
    """What of that is no known fault."""
    return [
        text for text in wrong if not any(known.trial.search(trial) and known.wrong.search(text) for known in KNOWN)
    ]
