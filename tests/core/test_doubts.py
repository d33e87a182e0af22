"""The sentence that compares an accuracy with always saying the most frequent class."""

from typing import Any

import pytest

from fercli.core.doubts import baseline_doubt

MAJORITY = {"emotion": "happy", "value": 0.4}


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        ({"value": 0.39, "low": 0.1}, ["The test accuracy (39.0%) does not exceed the majority-class baseline (40.0%"]),
        ({"value": 0.4, "low": None}, ["does not exceed"]),
        ({"value": 0.9, "low": None, "reason": "only 2 subjects"}, ["may not really exceed", "only 2 subjects"]),
        ({"value": 0.9, "low": None}, ["may not really exceed", "no confidence interval"]),
        ({"value": 0.9, "low": 0.4}, ["lower bound of its CI is 40.0%"]),
    ],
)
def test_accuracy_that_may_be_nothing_is_said(accuracy: dict[str, Any], said: list[str]) -> None:
    (sentence,) = baseline_doubt("test", accuracy, MAJORITY)
    assert all(part in sentence for part in said)


def test_accuracy_above_the_baseline_needs_no_sentence() -> None:
    assert baseline_doubt("test", {"value": 0.9, "low": 0.41}, MAJORITY) == ()
