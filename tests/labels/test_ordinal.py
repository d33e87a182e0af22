import krippendorff
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from fercli.core.rows import Vote
from fercli.labels.ordinal import (
    Level,
    Weights,
    icc1_of_sums,
    icc1_sums,
    icc2,
    icc3,
    mean_weighted_kappa,
    measure_ordinal,
    ordered_alpha,
    weighted_kappa,
)

LEVELS = ("very low", "low", "mid", "high")
SEEDS = pytest.mark.parametrize("seed", range(5))
# Shrout and Fleiss, Psychological Bulletin 86, 1979, table 2: six targets, four judges.
SHROUT = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


def drawn(seed: int, *, missing: float = 0.3) -> np.ndarray:
    """Ratings 0 to 3 of 40 faces by 5 annotators, who agree in part; NaN where there is no vote."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(4, size=(40, 1))
    ratings = np.clip(truth + generator.integers(-1, 2, size=(40, 5)), 0, 3).astype(float)
    ratings[generator.random(ratings.shape) < missing] = np.nan
    return ratings


def counts_of(ratings: np.ndarray, num_classes: int = 4) -> np.ndarray:
    return np.stack([(ratings == place).sum(1) for place in range(num_classes)], axis=1).astype(float)


@SEEDS
@pytest.mark.parametrize("weights", ["linear", "quadratic"])
def test_weighted_kappa_is_scikit_learns(seed: int, weights: Weights) -> None:
    first, second = drawn(seed, missing=0)[:, :2].astype(int).T
    table = np.zeros((4, 4))
    np.add.at(table, (first, second), 1)
    expected = cohen_kappa_score(first, second, labels=range(4), weights=weights)
    assert weighted_kappa(table, weights) == pytest.approx(expected, abs=1e-12)


@SEEDS
def test_the_mean_over_pairs_weighs_by_faces_in_common(seed: int) -> None:
    ratings, total, weight = drawn(seed), 0.0, 0
    for first in range(5):
        for second in range(first + 1, 5):
            both = ~np.isnan(ratings[:, [first, second]]).any(1)
            one, other = ratings[both][:, [first, second]].astype(int).T
            total += len(one) * cohen_kappa_score(one, other, labels=range(4), weights="quadratic")
            weight += len(one)
    assert mean_weighted_kappa(ratings, 4, "quadratic") == pytest.approx(total / weight, abs=1e-12)


@SEEDS
@pytest.mark.parametrize("level", ["ordinal", "interval"])
def test_alpha_is_that_of_krippendorff_with_missing_votes(seed: int, level: Level) -> None:
    ratings = drawn(seed)
    expected = krippendorff.alpha(ratings.T, level_of_measurement=level, value_domain=range(4))
    assert ordered_alpha(counts_of(ratings), level) == pytest.approx(expected, abs=1e-12)


def test_a_class_that_nobody_uses_changes_no_ordinal_alpha() -> None:
    counts = counts_of(np.array([[0, 3], [0, 0], [3, 3], [0, 3.0]]))
    expected = krippendorff.alpha(value_counts=counts[:, [0, 3]], level_of_measurement="ordinal", value_domain=[0, 3])
    assert ordered_alpha(counts, "ordinal") == pytest.approx(expected, abs=1e-12)


def test_the_published_example_of_intraclass_correlations() -> None:
    assert icc1_of_sums(icc1_sums(counts_of(SHROUT, 11)).sum(0)) == pytest.approx(0.17, abs=0.005)
    assert icc2(SHROUT) == pytest.approx(0.29, abs=0.005)
    assert icc3(SHROUT) == pytest.approx(0.71, abs=0.005)


@SEEDS
def test_icc1_of_unequal_numbers_is_that_of_an_analysis_of_variance(seed: int) -> None:
    ratings = drawn(seed)
    ratings = ratings[(~np.isnan(ratings)).sum(1) >= 2]
    face, who = np.nonzero(~np.isnan(ratings))
    table = anova_lm(ols("y ~ C(f)", pd.DataFrame({"y": ratings[face, who], "f": face})).fit())
    between, within = table["mean_sq"]
    sizes = np.bincount(face)
    size = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(sizes) - 1)
    expected = (between - within) / (between + (size - 1) * within)
    assert icc1_of_sums(icc1_sums(counts_of(ratings)).sum(0)) == pytest.approx(expected, abs=1e-12)


@SEEDS
def test_icc2_and_icc3_are_those_of_an_analysis_of_variance(seed: int) -> None:
    ratings = drawn(seed, missing=0.05)
    ratings = ratings[~np.isnan(ratings).any(1)]
    face, who = np.indices(ratings.shape)
    frame = pd.DataFrame({"y": ratings.ravel(), "f": face.ravel(), "a": who.ravel()})
    between, columns, error = anova_lm(ols("y ~ C(f) + C(a)", frame).fit())["mean_sq"]
    faces, k = ratings.shape
    expected = (between - error) / (between + (k - 1) * error + k * (columns - error) / faces)
    assert icc2(ratings) == pytest.approx(expected, abs=1e-12)
    assert icc3(ratings) == pytest.approx((between - error) / (between + (k - 1) * error), abs=1e-12)


def votes_of(ratings: np.ndarray) -> list[Vote]:
    return [
        Vote(f"f{face:03d}", f"a{who}", LEVELS[int(ratings[face, who])], "")
        for face, who in np.argwhere(~np.isnan(ratings)).tolist()
    ]


def test_votes_are_measured_as_their_places_in_the_order() -> None:
    ratings = drawn(1)
    more = [Vote("f000", "b", "unknown", ""), Vote("f001", "b", "odd", "")]
    # The project's classes come in another order, and one has no place in it.
    found = measure_ordinal([*votes_of(ratings), *more], ("odd", *sorted(LEVELS)), LEVELS, seed=0)
    counts = counts_of(ratings)
    assert found.num_left_out == 2
    assert found.num_votes == counts[counts.sum(1) >= 2].sum()
    for level in ("ordinal", "interval"):
        estimate = found.alphas[level]
        assert estimate.value == pytest.approx(ordered_alpha(counts, level))
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < (estimate.value or 0) < estimate.high
    assert found.kappas["linear"] == pytest.approx(mean_weighted_kappa(ratings, 4, "linear"))
    assert found.icc1.value == pytest.approx(icc1_of_sums(icc1_sums(counts[counts.sum(1) >= 2]).sum(0)))
    # Annotator "b" has no vote in the order, and counts for nothing.
    complete = ratings[~np.isnan(ratings).any(1)]
    assert (found.num_annotators, found.num_complete) == (5, len(complete))
    assert found.icc2 == pytest.approx(icc2(complete), abs=1e-12)


def test_anonymous_counts_have_no_pairs_but_alpha() -> None:
    votes = [Vote("f0", f"ballot0{place}", word, "") for place, word in enumerate(("low", "mid", "mid"))]
    votes += [Vote("f1", f"ballot0{place}", "high", "") for place in range(3)]
    found = measure_ordinal(votes, LEVELS, LEVELS)
    assert (found.kappas["linear"], found.icc2, found.num_annotators) == (None, None, 0)
    assert found.alphas["ordinal"].value is not None
    assert found.icc1.value is not None


def test_one_class_alone_has_no_coefficient() -> None:
    found = measure_ordinal(votes_of(np.ones((6, 3))), LEVELS, LEVELS)
    assert (found.alphas["interval"].value, found.kappas["linear"], found.icc1.value, found.icc3) == (None,) * 4
