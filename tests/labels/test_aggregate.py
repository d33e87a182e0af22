import math

import pytest

from fercli.core.errors import CheckError, InputError
from fercli.core.rows import Label, Vote
from fercli.labels.aggregate import TieRule, VoteMethod, aggregate_votes, is_open
from fercli.labels.pseudonyms import ADJUDICATOR
from tests.labels.crowd_votes import CLASSES, sheet_votes


def votes_on(face_id: str, words: str) -> list[Vote]:
    """One vote for each letter: h, n, s are classes, u is unknown."""
    names = {"u": "unknown"}
    return [Vote(face_id, f"a{place}", names.get(word, word), word) for place, word in enumerate(words)]


def label_of(words: str, method: VoteMethod = "majority", tie: TieRule = "unknown") -> Label:
    (label,) = aggregate_votes(votes_on("f", words), CLASSES, method=method, tie=tie)
    return label


def test_majority_gives_label_agreement_entropy_and_shares() -> None:
    label = label_of("hhns")
    assert (label.label, label.status) == ("", "no_majority")
    label = label_of("hhhn")
    assert (label.label, label.status, label.rule, label.num_votes) == ("h", "ok", "majority", 4)
    assert label.agreement == 0.75
    assert label.entropy == pytest.approx(-(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)))
    assert label.probabilities == {"h": 0.75, "n": 0.25, "s": 0.0}


@pytest.mark.parametrize(
    ("words", "status"), [("hhnn", "tie"), ("hhns", "no_majority"), ("h", "too_few"), ("uuh", "unknown")]
)
def test_face_that_nobody_won_has_no_label(words: str, status: str) -> None:
    label = label_of(words)
    assert (label.label, label.status) == ("", status)


def test_unanimous_votes_have_no_entropy() -> None:
    label = label_of("hhh")
    assert (label.entropy, label.agreement) == (0.0, 1.0)
    assert math.copysign(1, label.entropy or 0.0) == 1


def test_unknown_is_a_vote_and_takes_its_share() -> None:
    assert label_of("hhu").probabilities == {"h": 2 / 3, "n": 0.0, "s": 0.0}
    assert label_of("hhu").label == "h"
    assert label_of("huu").label == ""


def test_tie_gives_no_label_where_crowd_kit_takes_the_first_of_the_alphabet() -> None:
    labels = {label.face_id: label for label in aggregate_votes(sheet_votes(), CLASSES)}
    # crowd-kit 1.4.2, MajorityVote().fit_predict
    crowd_kit = {
        "f1": "h",
        "f10": "n",
        "f2": "n",
        "f3": "s",
        "f4": "h",
        "f5": "n",
        "f6": "s",
        "f7": "h",
        "f8": "n",
        "f9": "h",
    }
    differ = {face_id for face_id, name in crowd_kit.items() if labels[face_id].label != name}
    # f7 is h h s s, a tie; f4 is h s n h, where h has half and not more.
    assert {face_id: labels[face_id].status for face_id in differ} == {"f7": "tie", "f4": "no_majority"}


def test_tie_rules() -> None:
    votes = votes_on("a", "hhnn") + votes_on("b", "hhh") + votes_on("c", "hhns")
    kept = aggregate_votes(votes, CLASSES, tie="unknown")
    assert [(label.face_id, label.label, label.rule) for label in kept] == [
        ("a", "", "majority"),
        ("b", "h", "majority"),
        ("c", "", "majority"),
    ]
    assert [label.face_id for label in aggregate_votes(votes, CLASSES, tie="drop")] == ["b"]
    soft = aggregate_votes(votes, CLASSES, tie="soft")
    assert [(label.status, label.rule) for label in soft] == [
        ("tie", "majority+soft"),
        ("ok", "majority"),
        ("no_majority", "majority+soft"),
    ]
    assert soft[0].probabilities == {"h": 0.5, "n": 0.5, "s": 0.0}
    with pytest.raises(CheckError, match="2 faces have no majority label: 'a', 'c'"):
        aggregate_votes(votes, CLASSES, tie="error")


def test_adjudicator_decides_alone_and_counts_as_no_vote() -> None:
    final = [Vote("a", ADJUDICATOR, "s", "s"), Vote("z", ADJUDICATOR, "unknown", "unknown")]
    labels = aggregate_votes(votes_on("a", "hhnn") + final, CLASSES, tie="error")
    assert [(label.face_id, label.label, label.status, label.num_votes) for label in labels] == [
        ("a", "s", "adjudicated", 4),
        ("z", "", "unknown", 0),
    ]
    assert labels[0].agreement == 0.5
    assert labels[1].agreement is None


def test_weighted_votes_settle_a_tie_by_who_is_right_more_often() -> None:
    labels = {label.face_id: label for label in aggregate_votes(sheet_votes(), CLASSES, method="weighted")}
    # a1 and a2 say h; their weights 0.875 and 0.889 outweigh 0.625 and 0.556.
    assert (labels["f7"].label, labels["f7"].status) == ("h", "ok")
    assert labels["f4"].status == "no_majority"


def test_dawid_skene_gives_posteriors() -> None:
    labels = {label.face_id: label for label in aggregate_votes(sheet_votes(), CLASSES, method="dawid-skene")}
    # Where crowd-kit 1.4.2's DawidSkene(n_iter=100) ends; f4 goes to n, which only a3 said.
    assert "".join(labels[face_id].label for face_id in ("f1", "f2", "f3", "f5", "f6", "f8", "f9", "f10")) == "hnsnsnhn"
    assert labels["f4"].label == "n"
    assert sum(labels["f1"].probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize("method", ["weighted", "dawid-skene"])
def test_methods_that_weigh_persons_refuse_anonymous_counts(method: VoteMethod) -> None:
    votes = [Vote("f", f"ballot0{place}", "h", "h") for place in range(3)]
    with pytest.raises(InputError, match=f"'{method}' needs to know the annotators"):
        aggregate_votes(votes, CLASSES, method=method)


def test_vote_for_no_class_is_refused() -> None:
    with pytest.raises(InputError, match="unknown classes: x"):
        aggregate_votes([Vote("f", "a1", "x", "x")], CLASSES)


def test_no_votes_give_no_labels() -> None:
    assert aggregate_votes([], CLASSES) == []


def test_order_of_votes_does_not_matter() -> None:
    votes = sheet_votes()
    assert aggregate_votes(votes[::-1], CLASSES) == aggregate_votes(votes, CLASSES)


def test_open_faces_are_those_an_adjudicator_may_decide() -> None:
    assert [is_open(label_of(words)) for words in ("hhnn", "hhns", "hhh", "h")] == [True, True, False, False]


def test_second_vote_of_an_annotator_on_a_face_replaces_the_first() -> None:
    votes = [Vote("f", "a1", "n", "n"), Vote("f", "a1", "h", "h"), Vote("f", "a2", "h", "h"), Vote("f", "a3", "n", "n")]
    (label,) = aggregate_votes(votes, CLASSES)
    assert (label.label, label.num_votes) == ("h", 3)
