"""What is said of a model's certainty wherever metrics.json is shown: on the terminal and in the report."""

from collections.abc import Iterator, Mapping
from typing import Any

from fercli.core.words import counted

Record = Mapping[str, Any]  # JSON values

MEASURES = (
    ("ece", "expected calibration error"),
    ("brier", "Brier score"),
    ("nll", "negative log-likelihood"),
)
RULES = (
    ("majority", "strict majority of the others"),
    ("votes", "every vote of the others"),
)
PEOPLE = ("compared with", "annotators", "model", "model minus annotators, points", "on")
# Both definitions, for whoever reads the two rows.
RULE_WORDS = (
    "Each vote is left out in turn, and its annotator and the model are compared with the other votes on the face, "
    "so nobody is compared with a majority that contains their own vote. Strict majority: only where more than half of "
    "at least two other votes are for one class, which are the easier faces. Every vote: the share of the other votes "
    "for a class that are the same, on all faces with two votes. Accuracy is another measure: labels count every vote."
)


def form_names(doubt: Record) -> list[str]:
    """The forms of probabilities that were scored: `raw`, and `calibrated` where a temperature was fitted."""
    return [name for name in ("raw", "calibrated") if name in doubt]


def temperature_words(temperature: Record) -> str:
    """A sentence on the temperature, with the doubt that its few faces leave; or why there is none."""
    if temperature.get("value") is None:
        return f"No temperature was fitted: {temperature.get('reason')}."
    value, faces = temperature["value"], counted(temperature["num_faces"], "validation face")
    likely = f"{temperature['likely_low']:.2f} to {temperature['likely_high']:.2f}"
    if temperature["low"] is not None:
        unit = counted(temperature["num_units"], temperature["unit"])
        doubt = f"95% CI {temperature['low']:.2f} to {temperature['high']:.2f} over {unit}"
    else:
        doubt = f"no confidence interval: {temperature['reason']}; were all faces independent, {likely}"
    words = f"Temperature {value:.2f}, fitted on {faces} ({doubt})."
    if temperature["is_at_edge"]:
        return f"{words} It is the limit of the search: these faces are too few, or all right or wrong, to fit one."
    has_interval = temperature["low"] is not None
    low, high = (temperature[name if has_interval else f"likely_{name}"] for name in ("low", "high"))
    if low <= 1 <= high:
        return f"{words} These faces do not show that the model is over- or underconfident."
    what = "overconfident" if value > 1 else "underconfident"
    few = "" if has_interval else f"; that is too few {temperature['unit']}s to tell how it is on others"
    return f"{words} On these faces the model was {what}{few}."


def threshold_words(doubt: Record, name: str) -> str:
    """A sentence on the threshold of one form: what it reached where it was chosen, and on these faces."""
    selective = doubt[name]["selective"]
    form = "calibrated probability" if name == "calibrated" else "probability"
    target = percent(doubt["target_accuracy"])
    if not selective:
        return f"No threshold was chosen for an accuracy of {target}: {doubt['temperature'].get('reason')}."
    chosen, there = selective["threshold"], selective["reached"]
    if chosen["value"] is None:
        return (
            f"No {form} gives an accuracy of {target} on the validation faces; "
            f"at most {percent(chosen['accuracy'])}, with {counted(chosen['num_accepted'], 'face')} accepted."
        )
    on_val = (
        f"{percent(chosen['accuracy'])} of {counted(chosen['num_accepted'], 'accepted validation face')} were correct "
        f"(at least {percent(chosen['bound'])} with 95% confidence, if faces were independent)"
    )
    if not there["accuracy"]:
        here = "here it accepts no face"
    else:
        here = f"here it accepts {_estimate(there['coverage'])} of the faces, {_estimate(there['accuracy'])} correct"
    return f"{form.capitalize()} of at least {chosen['value']:.3f} for an accuracy of {target}: {on_val}; {here}."


def people_rows(people: Record) -> Iterator[tuple[str, ...]]:
    """One row for each rule: annotators, model, their difference in percentage points, and how many; see PEOPLE."""
    for name, words in RULES:
        if name in people:
            found = people[name]
            number = f"{counted(found['num_votes'], 'vote')}, {counted(found['num_faces'], 'face')}"
            yield words, _estimate(found["human"]), _estimate(found["model"]), _points(found["difference"]), number


def _estimate(entry: Record) -> str:
    if entry.get("low") is None:
        return percent(entry["value"])
    return f"{percent(entry['value'])} (95% CI {percent(entry['low'])} to {percent(entry['high'])})"


def _points(entry: Record) -> str:
    value, low, high = (None if entry.get(key) is None else 100 * entry[key] for key in ("value", "low", "high"))
    return f"{value:+.1f}" if low is None else f"{value:+.1f} (95% CI {low:+.1f} to {high:+.1f})"


def percent(share: float) -> str:
    """A share as people read it."""
    return f"{share:.1%}"
