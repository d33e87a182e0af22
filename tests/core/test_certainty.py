from typing import Any

import pytest

from fercli.core.certainty import people_rows, temperature_words, threshold_words

FITTED: dict[str, Any] = {
    "value": 1.8, "low": 1.2, "high": 2.9, "unit": "subject", "num_units": 8, "reason": "",
    "num_faces": 1200, "is_at_edge": False, "likely_low": 1.6, "likely_high": 2.0,
}  # fmt: skip


def test_a_temperature_is_told_with_its_interval() -> None:
    assert temperature_words(FITTED) == (
        "Temperature 1.80, fitted on 1,200 validation faces (95% CI 1.20 to 2.90 over 8 subjects). "
        "On these faces the model was overconfident."
    )


@pytest.mark.parametrize(
    ("change", "end"),
    [
        ({"low": 0.9}, "These faces do not show that the model is over- or underconfident."),
        ({"value": 0.5, "low": 0.4, "high": 0.7}, "On these faces the model was underconfident."),
        ({"is_at_edge": True}, "these faces are too few, or all right or wrong, to fit one."),
    ],
    ids=["one is inside", "below", "edge"],
)
def test_what_a_temperature_says_of_the_model(change: dict[str, Any], end: str) -> None:
    assert temperature_words({**FITTED, **change}).endswith(end)


def test_a_temperature_of_few_people_is_told_with_what_independent_faces_would_give() -> None:
    words = temperature_words({**FITTED, "low": None, "high": None, "num_units": 2, "reason": "only 2 subjects"})
    assert "(no confidence interval: only 2 subjects; were all faces independent, 1.60 to 2.00)" in words
    assert words.endswith("that is too few subjects to tell how it is on others.")


def test_no_temperature_has_its_reason() -> None:
    words = temperature_words({"value": None, "reason": "the run has no validation faces"})
    assert words == "No temperature was fitted: the run has no validation faces."


def doubt(threshold: dict[str, Any], reached: dict[str, Any] | None) -> dict[str, Any]:
    return {"target_accuracy": 0.9, "raw": {"selective": {"threshold": threshold, "reached": reached}}}


CHOSEN = {"value": 0.8125, "accuracy": 0.925, "num_accepted": 40, "bound": 0.82}


def test_a_threshold_tells_both_sets() -> None:
    estimate = {"value": 0.5, "low": 0.4, "high": 0.6}
    assert threshold_words(doubt(CHOSEN, {"coverage": estimate, "accuracy": {"value": 0.9}}), "raw") == (
        "Probability of at least 0.812 for an accuracy of 90.0%: 92.5% of 40 accepted validation faces were correct "
        "(at least 82.0% with 95% confidence, if faces were independent); here it accepts 50.0% (95% CI 40.0% to "
        "60.0%) of the faces, 90.0% correct."
    )


def test_a_threshold_that_accepts_nothing_or_does_not_exist_is_told() -> None:
    none = {"coverage": {"value": 0.0}, "accuracy": None}
    assert threshold_words(doubt(CHOSEN, none), "raw").endswith("here it accepts no face.")
    out_of_reach = {**CHOSEN, "value": None, "accuracy": 0.7, "num_accepted": 1}
    assert threshold_words(doubt(out_of_reach, None), "raw") == (
        "No probability gives an accuracy of 90.0% on the validation faces; at most 70.0%, with 1 face accepted."
    )


def test_people_are_compared_in_points() -> None:
    part = {"value": 0.5, "low": 0.25, "high": 0.75}
    found = {
        "human": {"value": 0.75}, "model": part, "difference": {**part, "value": -0.25, "low": -0.5},
        "num_votes": 1200, "num_faces": 1,
    }  # fmt: skip
    assert list(people_rows({"votes": found})) == [
        (
            "every vote of the others",
            "75.0%",
            "50.0% (95% CI 25.0% to 75.0%)",
            "-25.0 (95% CI -50.0 to +75.0)",
            "1,200 votes, 1 face",
        )
    ]
    assert list(people_rows({})) == []
