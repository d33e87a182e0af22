from pathlib import Path

import pytest

from fercli.sources.items import SourceOptions, shown
from tests.sources.trees import options


@pytest.mark.parametrize(
    ("word", "emotion"),
    [("happy", "happiness"), ("Happiness", "happiness"), (" ANGRY ", "anger"), ("contempt", "contempt")],
)
def test_a_word_is_found_whatever_its_case_and_spelling(word: str, emotion: str) -> None:
    assert options("ferplus").class_of(word) == emotion


def test_a_word_outside_the_set_is_no_class() -> None:
    assert options("fer2013").class_of("bored") is None


def test_underscores_stand_for_spaces_or_dashes() -> None:
    how = SourceOptions(("deep thought", "half-asleep"))
    assert how.class_of("Deep_Thought") == "deep thought"
    assert how.class_of("half_asleep") == "half-asleep"


def test_capital_letters_in_the_project_do_not_matter() -> None:
    assert SourceOptions(("Happy", "Sad")).class_of("happy") == "Happy"


def test_a_name_that_is_not_utf8_is_shown() -> None:
    shown(Path("caf\udce9.jpg")).encode("utf-8")
