from fercli.core.rows import Vote
from fercli.labels.aggregate import aggregate_votes
from fercli.labels.summary import ClassTally, summarise_labels

CLASSES = ("h", "n", "s", "b")


def test_lost_votes_are_counted_and_a_class_that_vanishes_is_a_warning_with_numbers() -> None:
    sheet = {"f1": "hhs", "f2": "hhh", "f3": "nns", "f4": "ss" + "nn", "f5": "s"}
    votes = [Vote(face, f"a{place}", word, word) for face, words in sheet.items() for place, word in enumerate(words)]
    summary = summarise_labels(aggregate_votes(votes, CLASSES), votes, CLASSES)
    assert summary.classes == [
        ClassTally("h", 2, 5, 0, 0),
        ClassTally("n", 1, 4, 0, 2),
        ClassTally("s", 0, 5, 2, 2),
        ClassTally("b", 0, 0, 0, 0),
    ]
    assert (summary.num_faces, summary.num_labelled, summary.num_dissenting) == (5, 3, 2)
    assert summary.by_status == {"ok": 3, "tie": 1, "too_few": 1}
    assert summary.mean_agreement == (2 / 3 + 1 + 2 / 3) / 3
    assert summary.warnings == [
        "class 's' has 5 votes but no labelled face (2 outvoted, 2 on faces without a majority)",
        "class 'b' has no votes and no faces",
    ]


def test_nothing_vanishes_where_nothing_is_labelled() -> None:
    assert summarise_labels([], [], CLASSES).warnings == []
