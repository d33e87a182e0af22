"""Names that people type or files carry, to one form of each: Unicode's composed form, case and blanks aside."""

import re
import unicodedata


def composed(name: str) -> str:
    """The same name in the form NFC: macOS and zip files write an accent as a letter of its own."""
    return unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """What is the same for all spellings of one name: form of accents, case, and blanks."""
    return re.sub(r"\s+", " ", composed(name)).strip().casefold()
