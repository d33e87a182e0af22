import pytest

from fercli.core.errors import UsageError
from fercli.core.names import composed, folded, name_pattern, parse_map


def test_both_forms_of_an_accent_are_one_name() -> None:
    assert composed("Zoe\u0308") == composed("Zo\u00eb") == "Zo\u00eb"
    assert folded("  ZOE\u0308   Ames ") == "zo\u00eb ames"


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (r"(?P<subject>S\d+)_", "S010_004_00000017.png", ("S010", "")),
        (r"(?P<subject>[A-Z]{2})\.(?P<class>[A-Z]{2})\d", "KA.AN1.39.tiff", ("KA", "AN")),
        (r"(?P<subject>S\d+)_", "other.png", ("", "")),
    ],
    ids=["subject", "subject and class", "no match"],
)
def test_pattern_reads_subject_and_class(pattern: str, name: str, expected: tuple[str, str]) -> None:
    found = name_pattern(pattern)
    assert found is not None
    assert found.read(name) == expected


@pytest.mark.parametrize(("text", "why"), [("(", "unterminated"), (r"S\d+", "no group called subject")])
def test_pattern_that_tells_no_subject_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        name_pattern(text)


def test_map_names_a_class_for_each_word() -> None:
    assert parse_map(["joyful=happy", " calm = neutral"], ("happy", "neutral")) == {
        "joyful": "happy",
        "calm": "neutral",
    }
    with pytest.raises(UsageError, match="is no word=class"):
        parse_map(["joyful"])
    with pytest.raises(UsageError, match="'joy' is no class of this project"):
        parse_map(["joyful=joy"], ("happy",))
