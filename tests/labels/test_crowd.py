import numpy as np

from fercli.core.rows import Vote
from fercli.labels.counts import encode_votes
from fercli.labels.crowd import dawid_skene, weigh_annotators
from tests.labels.crowd_votes import CLASSES, sheet_votes


def test_weights_and_shares_are_those_of_crowd_kits_wawa() -> None:
    # crowd-kit breaks the tie on f7 by the alphabet and lets it count for the skills; ours does not, so f7 stays out.
    estimate = weigh_annotators(encode_votes(sheet_votes("f7"), CLASSES))
    np.testing.assert_allclose(estimate.accuracy, [0.875, 8 / 9, 0.625, 5 / 9], atol=1e-9)
    shares = estimate.shares[:, :3] / estimate.shares.sum(axis=1, keepdims=True)
    # Rows f1 f10 f2 f3 f4 f5 f6 f8 f9; crowd-kit 1.4.2, Wawa().predict_proba.
    expected_happy = [0.811321, 0.268456, 0.29717, 0.0, 0.485849, 0.188679, 0.212264, 0.0, 0.760479]
    expected_neutral = [0.188679, 0.731544, 0.70283, 0.0, 0.212264, 0.811321, 0.0, 0.787736, 0.0]
    np.testing.assert_allclose(shares[:, 0], expected_happy, atol=1e-6)
    np.testing.assert_allclose(shares[:, 1], expected_neutral, atol=1e-6)


def test_tied_face_does_not_count_for_the_weight() -> None:
    with_tie = weigh_annotators(encode_votes(sheet_votes(), CLASSES))
    without = weigh_annotators(encode_votes(sheet_votes("f7"), CLASSES))
    np.testing.assert_allclose(with_tie.accuracy, without.accuracy)


def test_dawid_skene_is_crowd_kits_after_one_round_and_two() -> None:
    codes = encode_votes(sheet_votes(), CLASSES)
    # crowd-kit 1.4.2, DawidSkene(n_iter=1) and (n_iter=2), column h; rows f1 f10 f2 f3 f4 f5 f6 f7 f8 f9.
    expected = {
        1: [0.938134, 0.107458, 0.164007, 0.00694, 0.674534, 0.017154, 0.031581, 0.424796, 0.018103, 0.727009],
        2: [0.9944, 0.02089, 0.085086, 0.000835, 0.625986, 0.000397, 0.002813, 0.471555, 0.000939, 0.739497],
    }
    for num_rounds, column in expected.items():
        estimate = dawid_skene(codes, max_rounds=num_rounds, tolerance=0.0, smoothing=1e-12)
        np.testing.assert_allclose(estimate.shares[:, 0], column, atol=2e-6)


def test_dawid_skene_finds_who_is_careless_and_outvotes_them() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(3, size=150)
    votes = []
    for place, target in enumerate(truth.tolist()):
        for annotator in range(7):
            # Three look and are right nine times of ten; four say "h" whatever they see.
            seen = target if rng.random() < 0.9 else int(rng.integers(3))
            word = CLASSES[seen if annotator < 3 else 0]
            votes.append(Vote(f"f{place:03d}", f"a{annotator}", word, word))
    estimate = dawid_skene(encode_votes(votes, CLASSES))
    assert estimate.has_settled
    # Majority can only ever say "h", because four of seven always do.
    assert (truth == 0).mean() < 0.4
    assert (estimate.shares[:, :3].argmax(axis=1) == truth).mean() > 0.9
    assert estimate.accuracy[:3].min() > estimate.accuracy[3:].max()


def test_category_that_nobody_used_gets_nothing() -> None:
    estimate = dawid_skene(encode_votes(sheet_votes(), (*CLASSES, "zzz")))
    assert estimate.shares[:, 3].max() == 0
