import numpy as np
import pytest

from fercli.core.errors import InputError
from fercli.core.rows import Vote
from fercli.labels.counts import count_votes, encode_votes, entropy_bits
from fercli.labels.pseudonyms import ADJUDICATOR

CLASSES = ("happy", "bored")


def vote(face_id: str, annotator: str, label: str, created_at: str = "") -> Vote:
    return Vote(face_id, annotator, label, label, created_at=created_at)


VOTES = [
    vote("f2", "bea", "bored"),
    vote("f1", "bea", "happy"),
    vote("f1", "ann", "unknown"),
    vote("f1", "cem", "happy"),
    vote("f2", "ann", "nf"),
]


def test_faces_and_annotators_are_numbered_in_sorted_order() -> None:
    codes = encode_votes(VOTES, CLASSES)
    assert (codes.face_ids, codes.annotators) == (["f1", "f2"], ["ann", "bea", "cem"])
    assert codes.face.tolist() == [1, 0, 0, 0, 1]
    assert codes.annotator.tolist() == [1, 1, 0, 2, 0]


def test_categories_are_the_classes_then_what_is_none() -> None:
    codes = encode_votes(VOTES, CLASSES)
    assert codes.categories == ("happy", "bored", "unknown", "nf")
    assert codes.num_classes == 2
    assert codes.category.tolist() == [1, 0, 2, 0, 3]


def test_votes_are_counted_by_face_and_category() -> None:
    assert count_votes(encode_votes(VOTES, CLASSES)).tolist() == [[2, 0, 1, 0], [0, 1, 0, 1]]


def test_weights_are_added_up() -> None:
    weights = np.array([0.5, 0.25, 2.0, 1.0, 4.0])
    assert count_votes(encode_votes(VOTES, CLASSES), weights).tolist() == [[1.25, 0, 2, 0], [0, 0.5, 0, 4]]


def test_the_adjudicators_word_is_no_vote_and_its_face_is_counted() -> None:
    codes = encode_votes([*VOTES, vote("f3", ADJUDICATOR, "bored")], CLASSES)
    assert codes.final == {"f3": "bored"}
    assert ADJUDICATOR not in codes.annotators
    assert codes.face_ids == ["f1", "f2", "f3"]
    assert count_votes(codes)[2].tolist() == [0, 0, 0, 0]


def test_of_two_votes_of_one_annotator_on_a_face_the_newer_counts() -> None:
    again = [
        vote("f1", "ann", "happy", "2026-01-02T00:00:00Z"),
        vote("f1", "ann", "bored", "2026-01-01T00:00:00Z"),
    ]
    assert count_votes(encode_votes(again, CLASSES)).tolist() == [[1, 0, 0, 0]]


def test_vote_for_no_class_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"2 votes in votes\.csv for unknown classes: angry, sad"):
        encode_votes([vote("f", "a", "sad"), vote("f", "b", "angry"), vote("f", "c", "happy")], CLASSES)


def test_entropy_is_in_bits() -> None:
    shares = np.array([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25], [0, 0, 0, 0]])
    assert entropy_bits(shares).tolist() == [0, 1, 2, 0]
