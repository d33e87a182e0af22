"""Numbers stand before nouns that agree with them: "1 video", "2 videos"."""

import ast
import re
from pathlib import Path

import fercli

PACKAGE = Path(fercli.__file__).parent
NOUNS = (
    "annotators answers boxes cells classes columns crops entries epochs faces files folds frames groups images items "
    "labels lessons names pairs people pictures processes processors pupils rows runs sets sheets steps subjects tags "
    "tasks ties tracks values videos views votes"
)
AFTER_A_NUMBER = re.compile(rf" (?:(?!on |without )[a-z-]+ )?(?:{NOUNS.replace(' ', '|')})\b")
# What holds a number, by how it is written.
NUMBER = re.compile(r"len\(|(^|\.|')num_|cpu_count\(|^number")


def test_no_sentence_counts_one_videos() -> None:
    found = [
        f"{path.relative_to(PACKAGE).as_posix()}:{place.lineno}: {ast.unparse(text)}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for text in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(text, ast.JoinedStr)
        for place, after in zip(text.values, text.values[1:], strict=False)
        if isinstance(place, ast.FormattedValue) and isinstance(after, ast.Constant)
        if is_number(place) and AFTER_A_NUMBER.match(str(after.value))
    ]
    assert not found, "use core.words.counted"


def is_number(place: ast.FormattedValue) -> bool:
    """Whether a number is shown as it is."""
    shown = ast.unparse(place.value)
    has_commas = place.format_spec is not None and ast.unparse(place.format_spec) == "f','"
    is_name = "removeprefix" in shown or "table4" in shown
    return not shown.startswith(("counted(", "count(")) and not is_name and (has_commas or bool(NUMBER.search(shown)))
