"""How classes of another project and of a run are brought together."""

import pytest

from fercli.core.errors import FerError
from fercli.stages.transfer.mapping import class_map, map_words

OURS = ("happy", "sad", "bored")


def test_equal_names_and_other_spellings_are_matched_and_what_was_guessed_is_told() -> None:
    found = class_map(("Sad", "happiness"), OURS, [], "B")
    assert found.of_label == {"Sad": "sad", "happiness": "happy"}
    assert found.guessed == (("happiness", "happy"),)
    assert (found.classes, found.alone) == (("happy", "sad", "bored"), ("bored",))


def test_several_of_theirs_become_one_of_the_runs() -> None:
    found = class_map(("happy", "amused", "sad"), OURS, [("amused", "happy")], "B")
    assert found.of_label == {"happy": "happy", "amused": "happy", "sad": "sad"}


def test_several_of_the_runs_become_one_of_theirs() -> None:
    found = class_map(("happy", "low"), OURS, [("low", "sad"), ("low", "bored")], "B")
    assert found.of_predicted == {"happy": "happy", "sad": "low", "bored": "low"}
    assert (found.classes, found.alone) == (("happy", "low"), ())


def test_either_side_may_be_left_out() -> None:
    found = class_map(("happy", "sad", "fear"), OURS, map_words(["fear=,=bored"]), "B")
    assert found.of_label["fear"] is None
    assert found.of_predicted["bored"] is None
    assert found.classes == ("happy", "sad")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "class 'fear' of 'B' has no counterpart"),
        (["fear"], "not a pair of classes"),
        (["feer=sad"], "'B' has no class 'feer'"),
        (["fear=sadd"], "the run has no class 'sadd'"),
        (["fear=,fear=sad"], "'fear' is mapped and left out"),
        (["fear=,sad="], "only 1 class is left"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: list[str], message: str) -> None:
    with pytest.raises(FerError, match=message):
        class_map(("happy", "sad", "fear"), OURS, map_words(given), "B")


def test_a_class_with_a_comma_is_quoted() -> None:
    assert map_words(['"neutral, calm=bored",fear=']) == [("neutral, calm", "bored"), ("fear", "")]
