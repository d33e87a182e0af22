"""What an evaluation says of doubt: calibration before and after a temperature, thresholds, model and people."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from fercli.core.project import Project
from fercli.core.rows import Prediction, Vote
from fercli.labels.ceiling import compare_with_people
from fercli.metrics.calibration import calibration, calibration_intervals
from fercli.metrics.evaluation import arrays_of
from fercli.metrics.intervals import Interval, Units, resampling_units
from fercli.metrics.selective import Threshold, choose_threshold, reached, risk_coverage
from fercli.metrics.temperature import with_temperature
from fercli.reports.figures.doubt import Curve, draw_risk_coverage
from fercli.reports.figures.scores import draw_reliability
from fercli.stages.evaluate.fitting import Fitted, temperature_record

Record = dict[str, Any]  # JSON values


def doubt_record(
    predictions: Sequence[Prediction], classes: Sequence[str], fitted: Fitted, *, target: float, seed: int
) -> Record:
    """The part `doubt` of metrics.json: `raw` and, where a temperature was fitted, `calibrated`.

    Each has `ece`, `brier`, `nll` with intervals, `aurc`, and `selective`: the threshold that the validation faces give
    for the accuracy `target`, and what it reaches here.
    """
    probabilities, targets = arrays_of(predictions, classes)
    units = resampling_units(predictions)
    forms: Record = {"raw": _form(probabilities, targets, units, _chosen(fitted, classes, 1.0, target), seed)}
    if fitted.temperature:
        value = fitted.temperature.value.value
        scaled = with_temperature(probabilities, value)
        chosen = _chosen(fitted, classes, value, target)
        forms["calibrated"] = _form(scaled, targets, units, chosen, seed)
    return {"target_accuracy": target, "temperature": temperature_record(fitted), **forms}


def people_record(
    project: Project, classes: Sequence[str], predictions: Sequence[Prediction], seed: int
) -> dict[str, Record]:
    """The part `people` of metrics.json: model and annotators on the same faces, by both rules of labels/ceiling."""
    faces = {row.face_id for row in predictions}
    votes = [vote for vote in project.rows(Vote) if vote.face_id in faces]
    known = {*classes, "unknown", "nf"}
    if not votes or any(vote.label not in known for vote in votes):
        return {}
    units = resampling_units(predictions)
    names = [units.names[place] for place in units.index.tolist()]
    found = compare_with_people(
        votes,
        classes,
        {row.face_id: row.predicted for row in predictions},
        unit_name=units.kind,
        unit_of_face={row.face_id: name for row, name in zip(predictions, names, strict=True)},
        seed=seed,
    )
    return {rule: asdict(comparison) for rule, comparison in found.items()}


def doubt_pictures(predictions: Sequence[Prediction], classes: Sequence[str], record: Record) -> dict[str, bytes]:
    """The figures that go with `doubt_record`, by file name."""
    probabilities, targets = arrays_of(predictions, classes)
    rows = {"raw": probabilities}
    value = record["temperature"]["value"]
    pictures = {}
    if "calibrated" in record:
        rows["calibrated"] = with_temperature(probabilities, value)
        found = calibration(rows["calibrated"], targets)
        pictures["reliability_calibrated.png"] = draw_reliability(found.bins, ece=found.ece)
    curves = [_curve(record, name, form, targets) for name, form in rows.items()]
    return {"risk_coverage.png": draw_risk_coverage(curves, target=record["target_accuracy"]), **pictures}


def _curve(record: Record, name: str, probabilities: np.ndarray, targets: np.ndarray) -> Curve:
    found = risk_coverage(probabilities, targets)
    there = (record[name]["selective"] or {}).get("reached") or {}
    point = (there["coverage"]["value"], there["accuracy"]["value"]) if there.get("accuracy") else None
    words = "as predicted" if name == "raw" else f"temperature {record['temperature']['value']:.2f}"
    return Curve(words, found.coverage, 1 - found.risk, point)


_Chosen = tuple[float | None, Record] | None


def _chosen(fitted: Fitted, classes: Sequence[str], temperature: float, target: float) -> _Chosen:
    """The threshold that the validation faces give, and its record; None where there are none."""
    if not fitted.predictions:
        return None
    threshold = threshold_of(fitted.predictions, classes, temperature, target)
    record = asdict(threshold)
    return threshold.value, record


def threshold_of(
    validation: Sequence[Prediction], classes: Sequence[str], temperature: float, target: float
) -> Threshold:
    """The threshold for a wanted accuracy (`selective.Threshold`), of probabilities with this temperature."""
    probabilities, targets = arrays_of(validation, classes)
    scaled = scaled_by(probabilities, temperature)
    return choose_threshold(risk_coverage(scaled, targets), target, len(targets))


def scaled_by(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities with a temperature; untouched at 1, where nothing is calibrated."""
    return probabilities if temperature == 1.0 else with_temperature(probabilities, temperature)


def _form(probabilities: np.ndarray, targets: np.ndarray, units: Units, chosen: _Chosen, seed: int) -> Record:
    found = calibration_intervals(probabilities, targets, units, generator=np.random.default_rng(seed))
    record: Record = {name: _record(interval) for name, interval in found.items()}
    record["aurc"] = risk_coverage(probabilities, targets).area
    record["selective"] = None
    if chosen:
        value, threshold = chosen
        record["selective"] = {"threshold": threshold, "reached": None}
        if value is not None:
            there = reached(probabilities, targets, value, units, generator=np.random.default_rng(seed))
            record["selective"]["reached"] = {
                "num_accepted": there.num_accepted,
                "coverage": _record(there.coverage),
                "accuracy": _record(there.accuracy) if there.accuracy else None,
            }
    return record


def _record(interval: Interval) -> Record:
    record = {"value": interval.value, "low": interval.low, "high": interval.high, "unit": interval.unit}
    return record | {"reason": interval.reason} if interval.reason else record
