import pytest

from fercli.core.errors import InputError
from fercli.core.rows import Face, Vote
from fercli.labels.formats.rawvotes import RawVote, RawVotes
from fercli.labels.importing import MatchedVotes, adjudicated, match_votes, merge_votes
from fercli.labels.matching import FaceIndex, blind_code, boxed_item
from fercli.labels.pseudonyms import ADJUDICATOR
from fercli.labels.vocabulary import Vocabulary

FACES = FaceIndex([Face(f"v/f00000{place}-0", "", "v", path=f"faces/v/f00000{place}-0.png") for place in range(3)])
WORDS = Vocabulary(("happy", "sad"))
EARLY, LATE = "2024-05-01T10:00:00Z", "2024-05-01T10:00:00.500000Z"


def matched(*votes: RawVote, known: dict[str, str] | None = None, **fields: object) -> MatchedVotes:
    raw = RawVotes("csv-long", "a test", list(votes), **fields)  # type: ignore[arg-type]  # fields of RawVotes
    return match_votes(raw, FACES, WORDS, pseudonyms=known or {}, source="v.csv")


def test_vote_gets_face_class_and_pseudonym_and_keeps_its_own_word() -> None:
    result = matched(RawVote("f000001-0.png", "Anna", "Happiness", 0.5, EARLY))
    assert result.votes == [Vote("v/f000001-0", "a1", "happy", "Happiness", 0.5, EARLY, "v.csv")]
    assert result.pseudonyms == {"Anna": "a1"}


def test_newest_vote_of_an_annotator_on_a_face_wins_wherever_it_stands() -> None:
    late, early = (
        RawVote("v/f000000-0", "anna", "sad", None, LATE),
        RawVote("v/f000000-0", "anna", "happy", None, EARLY),
    )
    for order in ([late, early], [early, late]):
        result = matched(*order)
        assert [vote.label for vote in result.votes] == ["sad"]
        assert result.num_overwritten == 1


def test_without_time_stamps_the_later_line_wins() -> None:
    result = matched(RawVote("v/f000000-0", "anna", "sad"), RawVote("v/f000000-0", "anna", "happy"))
    assert [vote.label for vote in result.votes] == ["happy"]


def test_unmatched_items_are_listed_once_and_their_votes_counted() -> None:
    result = matched(
        RawVote("x.png", "anna", "sad"), RawVote("x.png", "ben", "sad"), RawVote("v/f000000-0", "ben", "sad")
    )
    assert result.unmatched == ["x.png"]
    assert result.num_unmatched == 2
    assert len(result.votes) == 1


def test_skip_is_no_vote() -> None:
    result = matched(RawVote("v/f000000-0", "anna", "skipped"), num_skipped=2)
    assert result.votes == []
    assert result.num_skipped == 3


def test_gold_is_kept_apart() -> None:
    result = matched(gold=[RawVote("v/f000000-0", "anna", "happy")])
    assert result.votes == []
    assert [vote.label for vote in result.gold] == ["happy"]


def test_unknown_label_stops_the_import() -> None:
    with pytest.raises(InputError, match="did you mean 'happy'"):
        matched(RawVote("v/f000000-0", "anna", "hapyy"))


def test_blind_duplicate_shows_how_alike_an_annotator_judges_twice() -> None:
    first, second = blind_code("v/f000000-0", 1), blind_code("v/f000001-0", 1)
    result = matched(
        RawVote("v/f000000-0", "anna", "happy"),
        RawVote(first, "anna", "happy"),
        RawVote("v/f000001-0", "anna", "happy"),
        RawVote(second, "anna", "sad"),
    )
    assert result.repeats == {"a1": (2, 1)}


def test_merge_keeps_what_is_newer_by_stamp_else_what_is_imported_later() -> None:
    old = [Vote("f", "a1", "sad", "sad", None, LATE), Vote("f", "a2", "sad", "sad"), Vote("g", "a1", "sad", "sad")]
    new = [
        Vote("f", "a1", "happy", "happy", None, EARLY),
        Vote("f", "a2", "happy", "happy"),
        Vote("g", "a1", "sad", "x"),
    ]
    votes, num_overwritten, num_changed = merge_votes(old, new)
    assert [(vote.face_id, vote.annotator, vote.label) for vote in votes] == [
        ("f", "a1", "sad"),
        ("f", "a2", "happy"),
        ("g", "a1", "sad"),
    ]
    assert (num_overwritten, num_changed) == (3, 2)


def test_adjudicated_votes_all_belong_to_the_adjudicator() -> None:
    raw = adjudicated(RawVotes("csv-long", "a test", [RawVote("v/f000000-0", "anna", "sad")]), ADJUDICATOR)
    assert match_votes(raw, FACES, WORDS, pseudonyms={}, source="v").votes[0].annotator == ADJUDICATOR


def test_two_boxes_on_one_face_with_different_labels_are_a_conflict() -> None:
    boxes = [boxed_item("v/f000000-0.png", left, 0, 5, height=5) for left in (0, 1)]
    result = matched(
        RawVote(boxes[0], "anna", "happy"), RawVote(boxes[1], "anna", "sad"), RawVote(boxes[0], "ben", "sad")
    )
    assert result.conflicts == ["v/f000000-0 (a1): happy, sad"]
    assert [(vote.annotator, vote.label) for vote in result.votes] == [("a2", "sad")]
    alike = matched(RawVote(boxes[0], "anna", "happy"), RawVote(boxes[1], "anna", "happy"))
    assert (len(alike.votes), alike.conflicts, alike.repeats) == (1, [], {})
