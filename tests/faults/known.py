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


KNOWN: tuple[Known, ...] = (
    Known(
        re.compile(r"(add --source|labels export).* \| (signal=INT|error=)"),
        re.compile(r"lost: |differs: \.fer/(commit\.json|journal\.jsonl)|doctor right after"),
        "Batch._leave takes the waiting room away although a pending commit names it",
    ),
    Known(
        re.compile(r"labels export.* getdents64"),
        re.compile(r"lost: "),
        "os.walk passes over a folder that cannot be read; Commit.apply then takes it away as empty",
    ),
    Known(
        re.compile(r""),
        re.compile(r"left over: \.fer/(commit/.*|writing)$"),
        "what was killed after its commit is swept up by the next writer, not by a command with nothing to do",
    ),
    Known(
        re.compile(r"^(add|extract-frames|align|labels export|predict|eval|gradcam|run) ?.* \| power (strict|drawn)"),
        re.compile(r""),
        "names in a waiting room are not synced before the record, nor is the parent of a folder that a commit makes",
    ),
)


def unknown(trial: str, wrong: list[str]) -> list[str]:
    """What of that is no known fault."""
    return [
        text for text in wrong if not any(known.trial.search(trial) and known.wrong.search(text) for known in KNOWN)
    ]
