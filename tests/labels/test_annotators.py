import numpy as np
import pytest

from fercli.core.rows import Vote
from fercli.labels.annotators import cohen_kappa, compare_annotators, human_ceiling

WORDS = ("happy", "neutral", "sad")
LETTERS = {word[0]: word for word in WORDS} | {"u": "unknown"}


def votes_of(*rows: str) -> list[Vote]:
    """One row of letters for each face, one letter for each annotator; a dash is no vote."""
    return [
        Vote(f"f{face}", f"a{who}", LETTERS[letter], letter)
        for face, row in enumerate(rows)
        for who, letter in enumerate(row)
        if letter != "-"
    ]


def test_cohens_example_of_grant_proposals() -> None:
    # Two readers, 50 proposals: both yes 20, both no 15, otherwise 5 and 10; kappa 0.4 by hand.
    assert cohen_kappa(np.array([[20.0, 5], [10, 15]])) == pytest.approx(0.4)


def test_kappa_of_two_who_only_ever_use_one_word_has_no_value() -> None:
    assert cohen_kappa(np.array([[7.0, 0], [0, 0]])) is None


def test_pairs_are_held_against_each_other_on_common_faces() -> None:
    report = compare_annotators(votes_of("hh-", "nn-", "hn-", "n-h", "h-h"), WORDS)
    first, second = report.pairs
    assert (first.first, first.second, first.num_common) == ("a0", "a1", 3)
    assert first.percent == pytest.approx(2 / 3)
    # Shares h 2/3 n 1/3 and h 1/3 n 2/3: chance 4/9; (2/3 - 4/9) / (5/9) = 0.4.
    assert first.kappa == pytest.approx(0.4)
    assert (second.second, second.num_common, second.kappa) == ("a2", 2, pytest.approx(0))
    assert report.mean_kappa == pytest.approx(0.4 * 3 / 5)


def test_ceiling_is_one_annotator_against_the_majority_of_the_others() -> None:
    # hhh: three of three are right. hhn: for the n the others say h: wrong; for each h the others are split: no answer.
    # hh: one other is no majority. uuh: the others of h say unknown, which is no class.
    assert human_ceiling(votes_of("hhh", "hhn", "hh-", "uuh"), WORDS) == pytest.approx(3 / 4)
    assert human_ceiling(votes_of("hh-"), WORDS) is None


def test_ceiling_by_class_and_by_annotator() -> None:
    report = compare_annotators(votes_of("hhh", "hhn", "sss"), WORDS)
    assert report.ceiling.value == pytest.approx(6 / 7)
    assert report.ceiling_by_class == {"happy": pytest.approx(3 / 4), "neutral": None, "sad": 1.0}
    by_name = {entry.annotator: entry for entry in report.annotators}
    assert (by_name["a2"].against_others, by_name["a2"].num_against_others) == (pytest.approx(2 / 3), 3)
    assert (by_name["a0"].against_others, by_name["a0"].num_against_others) == (1.0, 2)


def test_ceiling_has_an_interval_over_units() -> None:
    votes = votes_of(*["hhh", "hhn"] * 10)
    unit_of = {f"f{face}": f"s{face // 2}" for face in range(20)}
    rng = np.random.default_rng(0)
    ceiling = compare_annotators(votes, WORDS, unit_name="subject", unit_of_face=unit_of, rng=rng).ceiling
    # Every subject has one face of each kind, so every resample gives the same share.
    assert (ceiling.value, ceiling.low, ceiling.high) == (pytest.approx(0.75),) * 3
    assert (ceiling.unit, ceiling.num_units) == ("subject", 10)


def test_anonymous_counts_have_a_ceiling_but_no_annotators() -> None:
    votes = [Vote("f", f"ballot0{place}", "happy", "") for place in range(3)]
    report = compare_annotators(votes, WORDS)
    assert report.is_anonymous
    assert (report.pairs, report.annotators, report.ceiling.value) == ([], [], 1.0)


def test_no_votes_make_an_empty_report() -> None:
    report = compare_annotators([], WORDS)
    assert (report.pairs, report.annotators, report.ceiling.value) == ([], [], None)
