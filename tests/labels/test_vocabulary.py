import pytest

from fercli.core.errors import InputError
from fercli.labels.vocabulary import Vocabulary

CLASSES = ("happy", "dedicated", "neutral", "confused")


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("happy", "happy"),
        (" Happy ", "happy"),
        ("happiness", "happy"),
        ("JOY", "happy"),
        ("Unknown", "unknown"),
        ("NF", "nf"),
        ("on task", "dedicated"),
        ("On-Task", "dedicated"),
    ],
)
def test_spellings_aliases_and_case_lead_to_the_class(word: str, label: str) -> None:
    assert Vocabulary(CLASSES, {"on_task": "dedicated"}).meanings_of([word], "v.csv") == {word: label}


@pytest.mark.parametrize("word", ["", "skip", "Skipped", "-", "n/a"])
def test_skip_has_no_meaning(word: str) -> None:
    vocabulary = Vocabulary(CLASSES)
    assert vocabulary.is_skip(word)
    assert vocabulary.meanings_of([word], "v.csv") == {}


def test_word_of_the_project_is_no_skip_even_if_it_reads_like_one() -> None:
    assert not Vocabulary((*CLASSES, "skip")).is_skip("skip")


def test_unknown_words_are_counted_and_neighbours_named() -> None:
    with pytest.raises(InputError) as caught:
        Vocabulary(CLASSES).meanings_of(["hapy", "hapy", "xyz", "neutral"], "v.csv")
    message = "v.csv: 2 labels are not classes of this project: 'hapy' (2 votes; did you mean 'happy'?), 'xyz' (1 vote)"
    assert caught.value.message == message
    assert "--map hapy=CLASS" in caught.value.hint


def test_alias_of_no_class_is_refused() -> None:
    with pytest.raises(InputError, match="'smile' cannot be mapped to 'hapy', which is not a class") as caught:
        Vocabulary(CLASSES, {"smile": "hapy"})
    assert caught.value.hint == "did you mean 'happy'?"
