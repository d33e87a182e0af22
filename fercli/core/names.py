"""Bring names that people type or files carry to one form: Unicode's composed form, case and blanks aside."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fercli.core.errors import UsageError
from fercli.core.settings import suggestion


def composed(name: str) -> str:
    """The same name in the form NFC: macOS and zip files write an accent as a letter of its own."""
    return unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """What is the same for all spellings of one name: form of accents, case, and blanks."""
    return re.sub(r"\s+", " ", composed(name)).strip().casefold()


def parse_map(words: Iterable[str], classes: Sequence[str] = ()) -> dict[str, str]:
    """The words of `--map` and what each stands for.

    Args:
        words: each word=class.
        classes: what may stand behind the sign; anything where there are none.

    Raises:
        UsageError: one is no word=class.
    """
    pairs = [word.partition("=") for word in words]
    for word, equals, label in pairs:
        if not (word.strip() and equals and label.strip()):
            raise UsageError(f"'--map {word}' is no word=class", hint="Write --map joyful=happy,calm=neutral.")
        if classes and label.strip() not in classes:
            hint = suggestion(label.strip(), classes)
            raise UsageError(f"'--map {word}={label}': '{label.strip()}' is no class of this project", hint=hint)
    return {word.strip(): label.strip() for word, _, label in pairs}


FROM_FOLDER = "folder"


@dataclass(frozen=True)
class NamePattern:
    """What file names tell: groups `subject` and, if they say that too, `class`."""

    pattern: re.Pattern[str]

    def read(self, name: str) -> tuple[str, str]:
        """Subject and class word in a file's name; each empty where the name does not tell it."""
        match = self.pattern.search(composed(name))
        groups = match.groupdict() if match else {}
        return groups.get("subject") or "", groups.get("class") or ""


def name_pattern(subject_from: str) -> NamePattern | None:
    """The pattern in a setting `subject_from`, "PATTERN" or "name PATTERN"; None where that is empty or "folder".

    Raises:
        UsageError: it is no regular expression with a group `subject`.
    """
    if subject_from in ("", FROM_FOLDER):
        return None
    try:
        pattern = re.compile(subject_from.removeprefix("name "))
    except re.error as error:
        raise UsageError(f"--subject-from '{subject_from}': {error}", hint=_EXAMPLE) from error
    if "subject" not in pattern.groupindex:
        raise UsageError(f"--subject-from '{subject_from}' has no group called subject", hint=_EXAMPLE)
    return NamePattern(pattern)


_EXAMPLE = "For S010_004_00000017.png: --subject-from name '(?P<subject>S\\d+)_'; for folders: --subject-from folder."
