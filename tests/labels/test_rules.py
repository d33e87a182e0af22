import numpy as np
import pytest

from fercli.labels.rules import STATUS_NAMES, ferplus_verdicts, majority_verdicts


def verdict(*counts: float, **options: float) -> tuple[str, int]:
    """Status and winner of one face; the last two categories are unknown and nf."""
    table = np.array([counts], dtype=np.float64)
    settings = {"min_votes": 2, "min_agreement": 0.5} | options
    verdicts = majority_verdicts(
        table,
        min_votes=int(settings["min_votes"]),
        min_agreement=settings["min_agreement"],
        num_classes=len(counts) - 2,
    )
    return STATUS_NAMES[int(verdicts.status[0])], int(verdicts.winner[0])


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ((2, 1, 0, 0, 0), "ok"),
        ((3, 0, 0, 0, 0), "ok"),
        ((2, 0, 0, 0, 0), "ok"),
        ((1, 0, 0, 0, 0), "too_few"),
        ((0, 0, 0, 0, 0), "too_few"),
        ((1, 1, 0, 0, 0), "tie"),
        ((2, 2, 1, 0, 0), "tie"),
        ((1, 1, 1, 0, 0), "tie"),
        ((2, 1, 1, 0, 0), "no_majority"),
        ((5, 3, 2, 0, 0), "no_majority"),
        ((6, 4, 0, 0, 0), "ok"),
        ((1, 0, 0, 2, 0), "unknown"),
        ((1, 0, 0, 0, 2), "unknown"),
        ((2, 0, 0, 2, 0), "tie"),
        ((2, 0, 0, 1, 1), "no_majority"),
    ],
)
def test_majority_is_more_than_half_of_all_votes(counts: tuple[float, ...], status: str) -> None:
    assert verdict(*counts)[0] == status


def test_bound_on_agreement_is_reached_by_exactly_that_share() -> None:
    assert verdict(4, 1, 0, 0, 0, min_agreement=0.8)[0] == "ok"
    assert verdict(3, 1, 0, 0, 0, min_agreement=0.8)[0] == "no_majority"


def test_single_vote_counts_when_one_is_enough() -> None:
    assert verdict(0, 1, 0, 0, 0, min_votes=1) == ("ok", 1)


# FERPlus' own first two rows, with the answers that FORMATS of the dataset gives.
ROW_0, ROW_1 = (4, 0, 0, 1, 3, 2, 0, 0, 0, 0), (6, 0, 1, 1, 0, 0, 0, 0, 2, 0)


@pytest.mark.parametrize(
    ("counts", "status", "winner"),
    [
        (ROW_0, "unknown", 0),
        (ROW_1, "ok", 0),
        ((5, 1, 1, 1, 1, 1, 0, 0, 0, 0), "ok", 0),
        ((0, 0, 0, 0, 0, 0, 0, 0, 8, 2), "unknown", 8),
        ((1, 1, 1, 1, 1, 1, 1, 1, 1, 1), "unknown", 0),
        ((5, 5, 0, 0, 0, 0, 0, 0, 0, 0), "unknown", 0),
    ],
    ids=["row 0", "row 1", "single votes struck out", "unknown wins", "only single votes", "half is not more"],
)
def test_ferplus_strikes_out_single_votes_first(counts: tuple[int, ...], status: str, winner: int) -> None:
    verdicts = ferplus_verdicts(np.array([counts], dtype=np.float64), min_votes=2, num_classes=8)
    assert (STATUS_NAMES[int(verdicts.status[0])], int(verdicts.winner[0])) == (status, winner)


def test_ferplus_soft_labels_are_shares_of_what_is_left_of_the_classes() -> None:
    verdicts = ferplus_verdicts(np.array([ROW_0, ROW_1], dtype=np.float64), min_votes=2, num_classes=8)
    np.testing.assert_allclose(verdicts.probabilities[0], np.array([4, 0, 0, 0, 3, 2, 0, 0]) / 9)
    np.testing.assert_allclose(verdicts.probabilities[1], np.eye(8)[0])
