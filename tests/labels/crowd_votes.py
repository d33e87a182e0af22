"""Forty votes of four annotators, for which crowd-kit 1.4.2 gave the answers that stand in the tests."""

from fercli.core.rows import Vote

CLASSES = ("h", "n", "s")
SHEET = {
    "f1": "hhhn", "f10": "-nnh", "f2": "hnnn", "f3": "ssss", "f4": "hsnh",
    "f5": "nnnh", "f6": "sshs", "f7": "hhss", "f8": "nnsn", "f9": "hh-s",
}  # fmt: skip


def sheet_votes(*left_out: str) -> list[Vote]:
    """The votes of the sheet without some faces."""
    return [
        Vote(face_id, f"a{place}", word, word)
        for face_id, words in SHEET.items()
        if face_id not in left_out
        for place, word in enumerate(words, start=1)
        if word != "-"
    ]
