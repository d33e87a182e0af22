"""Numbers with their nouns, as sentences on the screen and in reports have them."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number and its noun: "1 face", "3,131 faces"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
