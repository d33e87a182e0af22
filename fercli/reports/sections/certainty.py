"""Write what a report says of calibration, thresholds and people beside the model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from fercli.core.certainty import (
    MEASURES,
    PEOPLE,
    RULE_WORDS,
    form_names,
    people_rows,
    temperature_words,
    threshold_words,
)
from fercli.metrics.selective import risk_coverage
from fercli.metrics.temperature import with_temperature
from fercli.reports.figures.doubt import Curve, draw_risk_coverage
from fercli.reports.page import Picture, Table

_FORMS = {"raw": "as predicted", "calibrated": "with temperature"}
Record = Mapping[str, Any]  # JSON values


def certainty_text(metrics: Record) -> tuple[str, ...]:
    """Sentences on the temperature, the thresholds and both human ceilings; none for metrics of older versions."""
    doubt, people = _parts(metrics)
    if not doubt:
        return ()
    sentences = [temperature_words(doubt["temperature"]), *(threshold_words(doubt, name) for name in form_names(doubt))]
    return (" ".join(sentences), *([RULE_WORDS] if people else []))


def certainty_tables(metrics: Record) -> tuple[Table, ...]:
    """Calibration before and after the temperature, and model and annotators by the same rules."""
    doubt, people = _parts(metrics)
    tables = []
    if doubt:
        names = form_names(doubt)
        rows = [(words, *(_number(doubt[name][key]) for name in names)) for key, words in MEASURES]
        rows.append(("area under the risk-coverage curve", *(f"{doubt[name]['aurc']:.3f}" for name in names)))
        tables.append(Table("Calibration", ("measure", *(_FORMS[name] for name in names)), tuple(rows)))
    if compared := tuple(people_rows(people)):
        tables.append(Table("Model and annotators by the same rule", PEOPLE, compared))
    return tuple(tables)


def certainty_pictures(
    metrics: Record,
    probabilities: Float[np.ndarray, "faces classes"],
    targets: Integer[np.ndarray, " faces"],
) -> tuple[Picture, ...]:
    """Accuracy against coverage, where these metrics have it."""
    doubt, _ = _parts(metrics)
    if not doubt or not len(targets):
        return ()
    curves = []
    for name in form_names(doubt):
        rows = with_temperature(probabilities, doubt["temperature"]["value"]) if name == "calibrated" else probabilities
        found = risk_coverage(rows, targets)
        there = (doubt[name]["selective"] or {}).get("reached") or {}
        point = (there["coverage"]["value"], there["accuracy"]["value"]) if there.get("accuracy") else None
        curves.append(Curve(_FORMS[name], found.coverage, 1 - found.risk, point))
    alternative = "Accuracy on the faces that are accepted, from few to all; " + threshold_words(doubt, "raw")
    caption = (
        "Accuracy on the faces of which the model is most certain, by their share (coverage). A circle is what the "
        "threshold chosen on the validation set reaches here."
    )
    return (Picture(draw_risk_coverage(curves, target=doubt["target_accuracy"]), alternative, caption),)


def _parts(metrics: Record) -> tuple[Record, Record]:
    doubt, people = metrics.get("doubt"), metrics.get("people")
    return (doubt if isinstance(doubt, Mapping) else {}), (people if isinstance(people, Mapping) else {})


def _number(entry: Record) -> str:
    if entry.get("low") is None:
        return f"{entry['value']:.3f}"
    return f"{entry['value']:.3f} (95% CI {entry['low']:.3f} to {entry['high']:.3f})"
