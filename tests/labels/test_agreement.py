from pathlib import Path

import numpy as np
import pytest

from fercli.core.rows import Vote
from fercli.labels.agreement import fleiss_kappa, krippendorff_alpha, measure_agreement
from fercli.labels.formats.ferplus import read_ferplus_rows
from fercli.labels.pseudonyms import ADJUDICATOR

# Fleiss' worked example: 10 subjects, 5 categories, 14 raters.
FLEISS = np.array([
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
], dtype=np.float64)  # fmt: skip


def votes_of(sheet: dict[str, dict[str, str]]) -> list[Vote]:
    return [Vote(face, who, word, word) for face, words in sheet.items() for who, word in words.items()]


def test_fleiss_example_of_fourteen_raters() -> None:
    assert fleiss_kappa(FLEISS) == pytest.approx(0.20993, abs=5e-6)


def test_krippendorff_example_with_missing_values() -> None:
    observers = [
        ["*", "*", "*", "*", "*", "3", "4", "1", "2", "1", "1", "3", "3", "*", "3"],
        ["1", "*", "2", "1", "3", "3", "4", "3", "*", "*", "*", "*", "*", "*", "*"],
        ["*", "*", "2", "1", "3", "4", "4", "*", "2", "1", "1", "3", "3", "*", "4"],
    ]
    counts = np.zeros((15, 4))
    for row in observers:
        for unit, value in enumerate(row):
            if value != "*":
                counts[unit, int(value) - 1] += 1
    assert krippendorff_alpha(counts) == pytest.approx(0.691358, abs=5e-7)


SMALL = votes_of(
    {
        "f1": {"a": "happy", "b": "neutral"},
        "f2": {"a": "sad", "b": "sad", "c": "happy"},
        "f3": {"a": "neutral", "b": "happy"},
    }
)
WORDS = ("happy", "neutral", "sad")


def test_three_faces_agree_less_than_chance() -> None:
    agreement = measure_agreement(SMALL, WORDS)
    assert agreement.krippendorff.value == pytest.approx(-0.125)
    assert agreement.percent.value == pytest.approx(1 / 5)
    assert (agreement.num_faces, agreement.num_votes, agreement.has_equal_votes) == (3, 7, False)


def test_fleiss_by_class_is_the_published_formula() -> None:
    votes = [
        Vote(f"f{face}", f"a{place}", f"c{category}", "")
        for face, row in enumerate(FLEISS.astype(int).tolist())
        for place, category in enumerate(category for category, count in enumerate(row) for _ in range(count))
    ]
    agreement = measure_agreement(votes, [f"c{category}" for category in range(5)])
    assert agreement.fleiss.value == pytest.approx(0.20993, abs=5e-6)
    # Fleiss 1971, eq. 22: 1 - sum n_ij (n - n_ij) / (N n (n - 1) p_j q_j), n = 14, N = 10.
    share = FLEISS.sum(axis=0) / 140
    expected = 1 - (FLEISS * (14 - FLEISS)).sum(axis=0) / (10 * 14 * 13 * share * (1 - share))
    assert list(agreement.fleiss_by_class.values()) == pytest.approx(expected.tolist())


def test_full_agreement_is_one_and_one_single_category_has_no_value() -> None:
    assert krippendorff_alpha(np.array([[2.0, 0], [0, 3]])) == 1
    assert fleiss_kappa(np.array([[2.0, 0], [0, 3]])) == 1
    assert krippendorff_alpha(np.array([[2.0, 0], [3, 0]])) is None
    assert fleiss_kappa(np.array([[2.0, 0], [3, 0]])) is None


def test_faces_with_one_vote_and_the_adjudicator_do_not_count() -> None:
    more = [*SMALL, Vote("f9", "a", "sad", "sad"), Vote("f1", ADJUDICATOR, "happy", "happy")]
    assert measure_agreement(more, WORDS) == measure_agreement(SMALL, WORDS)


def test_no_votes_have_no_agreement() -> None:
    agreement = measure_agreement([], WORDS)
    assert (agreement.krippendorff.value, agreement.num_faces) == (None, 0)


def random_votes(num_faces: int) -> list[Vote]:
    rng = np.random.default_rng(1)
    votes = []
    for face in range(num_faces):
        truth = int(rng.integers(3))
        for who in "abc":
            word = WORDS[truth if rng.random() < 0.7 else int(rng.integers(3))]
            votes.append(Vote(f"f{face:03d}", who, word, word))
    return votes


def test_interval_is_over_subjects_is_repeatable_and_holds_the_value() -> None:
    votes = random_votes(200)
    subject_of = {f"f{face:03d}": f"s{face % 10}" for face in range(200)}
    first, second = (
        measure_agreement(votes, WORDS, unit_name="subject", unit_of_face=subject_of, rng=np.random.default_rng(7))
        for _ in range(2)
    )
    alpha = first.krippendorff
    assert first == second
    assert alpha.low is not None
    assert alpha.value is not None
    assert alpha.high is not None
    assert alpha.low < alpha.value < alpha.high
    assert (alpha.unit, alpha.num_units) == ("subject", 10)


def test_copies_of_every_face_within_its_subject_do_not_narrow_the_interval() -> None:
    votes = random_votes(30)
    copies = [Vote(vote.face_id + tail, vote.annotator, vote.label, "") for vote in votes for tail in "xyz"]
    unit_of = {f"f{face:03d}{tail}": f"s{face:03d}" for face in range(30) for tail in ("", *"xyz")}

    def width(of: list[Vote]) -> float:
        rng = np.random.default_rng(0)
        percent = measure_agreement(of, WORDS, unit_name="subject", unit_of_face=unit_of, rng=rng).percent
        assert percent.low is not None
        assert percent.high is not None
        return percent.high - percent.low

    assert width(copies) == pytest.approx(width(votes))


def test_under_five_units_there_is_no_interval_and_the_reason_is_given() -> None:
    unit_of = {f"f{face:03d}": f"s{face % 4}" for face in range(40)}
    rng = np.random.default_rng(0)
    agreement = measure_agreement(random_votes(40), WORDS, unit_name="subject", unit_of_face=unit_of, rng=rng)
    assert agreement.fleiss.low is None
    assert agreement.fleiss.why_no_interval == "a confidence interval needs at least 5 subjects, and there are 4"


@pytest.mark.real_data
def test_ferplus_kappa_is_what_two_other_packages_give(real_data: Path) -> None:
    rows = read_ferplus_rows(real_data / "ferplus" / "fer2013new.csv")
    counts = np.array([row.counts for row in rows], dtype=np.float64)
    # statsmodels 0.15.0, fleiss_kappa of the 32,297 rows with ten votes; one row has nine.
    assert fleiss_kappa(counts[counts.sum(axis=1) == 10]) == pytest.approx(0.5148855634601207, abs=1e-12)
    # krippendorff 0.9.0, alpha(value_counts=..., level_of_measurement="nominal") of all 32,298 rows.
    assert krippendorff_alpha(counts) == pytest.approx(0.5148762261187102, abs=1e-12)


def test_interval_holds_the_middle_95_of_100_resamples() -> None:
    # Of 200 faces with one pair of votes each, 60% are alike: the share of 200 draws has a spread of
    # sqrt(0.6 * 0.4 / 200), and 95% of a normal curve lie within 1.96 of it.
    votes = [
        Vote(f"f{face:03d}", who, WORDS[0 if who == "a" or face < 120 else 1], "")
        for face in range(200)
        for who in "ab"
    ]
    percent = measure_agreement(votes, WORDS, rng=np.random.default_rng(0)).percent
    spread = (0.6 * 0.4 / 200) ** 0.5
    assert percent.low is not None
    assert percent.high is not None
    assert (0.6 - percent.low) / spread == pytest.approx(1.96, abs=0.1)
    assert (percent.high - 0.6) / spread == pytest.approx(1.96, abs=0.1)


@pytest.mark.parametrize(("more", "is_equal"), [((), True), (("c",), False)], ids=["equal", "one more"])
def test_whether_all_faces_have_equally_many_votes_is_told(more: tuple[str, ...], is_equal: bool) -> None:
    votes = [Vote(face, who, WORDS[0], "") for face in "fg" for who in "ab"]
    votes += [Vote("f", who, WORDS[1], "") for who in more]
    assert measure_agreement(votes, WORDS).has_equal_votes is is_equal
