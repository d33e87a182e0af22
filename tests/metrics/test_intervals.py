import time

import numpy as np
import pytest

from fercli.core.rows import Prediction
from fercli.metrics.confusion import confusion_by_unit
from fercli.metrics.intervals import Interval, bootstrap_intervals, resampling_units
from fercli.metrics.scores import SCORES


def row(face_id: str, subject_id: str = "", video_id: str = "") -> Prediction:
    return Prediction(face_id, subject_id, video_id, "test", "happy", "happy")


def accuracy_interval(matrices: np.ndarray, seed: int = 0) -> Interval:
    generator = np.random.default_rng(seed)
    return bootstrap_intervals(matrices, SCORES, kind="subject", generator=generator)["accuracy"]


def units_with(hits: list[int], size: int) -> np.ndarray:
    """One 2x2 matrix a unit, with `hits` of `size` faces right."""
    return np.array([[[hit, size - hit], [0, 0]] for hit in hits])


def test_subjects_are_the_unit_when_every_face_has_one() -> None:
    units = resampling_units([row("a", "s2", "v"), row("b", "s1", "v"), row("c", "s2", "v")])
    assert (units.kind, units.names, units.index.tolist()) == ("subject", ("s1", "s2"), [1, 0, 1])


def test_videos_are_the_unit_when_a_face_has_no_subject() -> None:
    units = resampling_units([row("a", "s1", "v1"), row("b", "", "v2")])
    assert (units.kind, units.names) == ("video", ("v1", "v2"))


def test_pictures_are_the_unit_when_there_is_neither_subject_nor_video() -> None:
    units = resampling_units([row("a", "s1"), row("b")])
    assert (units.kind, units.names) == ("face", ("a", "b"))


def test_the_value_is_the_score_of_all_faces() -> None:
    assert accuracy_interval(units_with([3, 1, 4, 4, 2], 4)).value == 14 / 20


@pytest.mark.parametrize("num_units", [1, 4])
def test_fewer_than_five_units_give_no_interval_but_a_reason(num_units: int) -> None:
    interval = accuracy_interval(units_with([2] * num_units, 4))
    assert (interval.value, interval.low, interval.high) == (0.5, None, None)
    assert interval.reason.startswith(f"only {num_units} subject")
    assert interval.reason.endswith("a confidence interval needs at least 5")


def test_five_units_give_an_interval() -> None:
    interval = accuracy_interval(units_with([0, 1, 2, 3, 4], 4))
    assert interval.low is not None
    assert interval.high is not None
    assert 0 <= interval.low < 0.5 < interval.high <= 1


def test_pictures_give_the_interval_of_a_binomial_share() -> None:
    # 300 of 400 right: the share's standard error is sqrt(.75 * .25 / 400) = 0.02165, times 1.96 is 0.0424.
    interval = accuracy_interval(units_with([1] * 300 + [0] * 100, 1))
    assert interval.low == pytest.approx(0.75 - 0.0424, abs=0.004)
    assert interval.high == pytest.approx(0.75 + 0.0424, abs=0.004)


def test_units_that_agree_within_give_the_interval_of_their_number_not_of_their_faces() -> None:
    # Ten subjects of forty faces, all right or all wrong: sqrt(.5 * .5 / 10) = 0.158, far from sqrt(.25 / 400).
    interval = accuracy_interval(units_with([40, 0] * 5, 40))
    assert interval.low is not None
    assert 0.5 - interval.low == pytest.approx(1.96 * 0.158, abs=0.05)


def test_grouping_equal_units_draws_what_drawing_each_unit_draws() -> None:
    hits = [4, 3, 3, 2, 4, 1, 0, 4]
    plain = np.random.default_rng(1).integers(0, 8, size=(20_000, 8))
    low, high = np.quantile(np.array(hits)[plain].sum(1) / 32, [0.025, 0.975])
    interval = accuracy_interval(units_with(hits, 4))
    assert interval.low == pytest.approx(low, abs=0.02)
    assert interval.high == pytest.approx(high, abs=0.02)


def test_the_seed_decides_the_interval() -> None:
    matrices = units_with([0, 1, 2, 3, 4, 4, 4, 3, 2, 1], 5)
    assert accuracy_interval(matrices, seed=3) == accuracy_interval(matrices, seed=3)
    assert accuracy_interval(matrices, seed=3) != accuracy_interval(matrices, seed=4)


def test_a_resample_that_loses_a_class_still_has_a_balanced_accuracy() -> None:
    matrices = np.array([[[1, 0], [0, 0]]] * 5 + [[[0, 0], [1, 0]]])
    generator = np.random.default_rng(0)
    interval = bootstrap_intervals(matrices, SCORES, kind="face", generator=generator)["balanced_accuracy"]
    assert (interval.value, interval.low, interval.high) == (0.5, 0.5, 1.0)


def test_ten_thousand_pictures_of_seven_classes_take_little_time() -> None:
    generator = np.random.default_rng(0)
    targets, predicted = generator.integers(0, 7, (2, 10_000))
    matrices = confusion_by_unit(targets, predicted, np.arange(10_000), num_units=10_000, num_classes=7)
    begin = time.process_time()
    accuracy_interval(matrices)
    assert time.process_time() - begin < 2
