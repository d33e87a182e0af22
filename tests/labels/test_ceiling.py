import numpy as np
import pytest

from fercli.core.rows import Vote
from fercli.labels.annotators import human_ceiling
from fercli.labels.ceiling import compare_with_people

CLASSES = ("happy", "neutral", "sad")
LETTERS = {"h": "happy", "n": "neutral", "s": "sad", "u": "unknown"}


def votes_of(*faces: str) -> list[Vote]:
    """One word a face, one letter an annotator; "-" did not vote."""
    return [
        Vote(f"f{face:03d}", f"a{place}", LETTERS[letter], "")
        for face, word in enumerate(faces)
        for place, letter in enumerate(word)
        if letter != "-"
    ]


def said(word: str) -> dict[str, str]:
    return {f"f{face:03d}": LETTERS[letter] for face, letter in enumerate(word)}


def drawn(seed: int) -> tuple[list[Vote], dict[str, str]]:
    generator = np.random.default_rng(seed)
    words = ["".join(generator.choice(list("hhhnnsu-"), size=5)) for _ in range(60)]
    return votes_of(*words), said("".join(generator.choice(list("hns"), size=60)))


def test_nobody_is_compared_with_a_majority_that_holds_his_own_vote() -> None:
    # The rest of either h is {h, n}: no majority. The rest of n is {h, h}: n is wrong, the model right.
    found = compare_with_people(votes_of("hhn"), CLASSES, said("h"))["majority"]
    assert (found.human.value, found.model.value, found.difference.value) == (0.0, 1.0, 1.0)
    assert (found.num_faces, found.num_votes) == (1, 1)


def test_over_all_votes_each_is_held_against_every_other_one() -> None:
    # Each h agrees with 1 of its 2 others, n with none; the model says h: 1/2, 1/2 and 1 of the rests.
    found = compare_with_people(votes_of("hhn"), CLASSES, said("h"))["votes"]
    assert found.human.value == pytest.approx(1 / 3)
    assert found.model.value == pytest.approx(2 / 3)
    assert found.num_votes == 3


@pytest.mark.parametrize("seed", range(4))
def test_both_rules_are_what_counting_vote_by_vote_gives(seed: int) -> None:
    votes, predicted = drawn(seed)
    scores: dict[str, list[tuple[float, float]]] = {"majority": [], "votes": []}
    for vote in votes:
        rest = [o.label for o in votes if o.face_id == vote.face_id and o.annotator != vote.annotator]
        model = predicted[vote.face_id]
        top = max(set(rest), key=rest.count, default="")
        if len(rest) >= 2 and rest.count(top) > len(rest) / 2 and top in CLASSES:
            scores["majority"].append((float(vote.label == top), float(model == top)))
        known = [word for word in rest if word in CLASSES]
        if known:
            scores["votes"].append((known.count(vote.label) / len(known), known.count(model) / len(known)))
    found = compare_with_people(votes, CLASSES, predicted)
    for rule, pairs in scores.items():
        assert found[rule].num_votes == len(pairs)
        assert found[rule].human.value == pytest.approx(np.mean([one for one, _ in pairs]), abs=1e-12)
        assert found[rule].model.value == pytest.approx(np.mean([one for _, one in pairs]), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_human_side_of_the_majority_rule_is_the_human_ceiling(seed: int) -> None:
    votes, predicted = drawn(seed)
    found = compare_with_people(votes, CLASSES, predicted)["majority"]
    assert found.human.value == pytest.approx(human_ceiling(votes, CLASSES), abs=1e-12)


def test_the_difference_has_a_paired_interval() -> None:
    votes, _ = drawn(2)
    # A model that is right where people are: its difference varies less than either.
    majority = dict.fromkeys({vote.face_id for vote in votes}, "happy")
    found = compare_with_people(votes, CLASSES, majority, seed=0)["votes"]
    assert found.difference.low is not None
    assert found.model.value is not None
    assert found.human.value is not None
    assert found.difference.value is not None
    assert found.difference.value == pytest.approx(found.model.value - found.human.value)
    assert found.difference.high is not None
    assert found.difference.low <= found.difference.value <= found.difference.high


def test_votes_on_other_faces_do_not_count() -> None:
    votes = votes_of("hhh", "nnn")
    assert compare_with_people(votes, CLASSES, {"f000": "happy"})["votes"].num_votes == 3
    assert compare_with_people(votes, CLASSES, {"f999": "happy"}) == {}


def test_single_votes_allow_no_comparison() -> None:
    assert compare_with_people(votes_of("h", "n"), CLASSES, said("hn")) == {}
    assert set(compare_with_people(votes_of("hh"), CLASSES, said("h"))) == {"votes"}
