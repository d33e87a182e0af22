"""Compute everything in `metrics.json`, `per_class.csv` and `by_subject.csv` from rows of predictions."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from fercli.core.rows import Prediction
from fercli.metrics.calibration import Calibration, calibration
from fercli.metrics.confusion import confusion_by_unit, confusion_matrix
from fercli.metrics.intervals import LEVEL, NUM_DRAWS, Interval, bootstrap_intervals, resampling_units
from fercli.metrics.scores import SCORES, Scores, scores_of


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well a set of predictions meets the labels; `intervals` by score name, as in `scores.SCORES`."""

    emotions: tuple[str, ...]
    matrix: Int64[np.ndarray, "classes classes"]
    scores: Scores
    intervals: dict[str, Interval]

    @property
    def majority_class(self) -> tuple[str, float]:
        """The most frequent true class and its share: what calling every face by it would reach."""
        support = self.matrix.sum(1)
        return self.emotions[int(support.argmax())], float(support.max() / support.sum())


@dataclass(frozen=True)
class GroupScores:
    """One row of by_subject.csv: the figures of the faces of one subject (or video)."""

    name: str
    num_faces: int
    accuracy: float
    balanced_accuracy: float
    num_classes: int


def evaluate(predictions: Sequence[Prediction], emotions: Sequence[str], *, seed: int) -> Evaluation:
    """Score labelled predictions, with intervals.

    Args:
        predictions: rows with a label; both `label` and `predicted` are among `emotions`.
        emotions: the classes in the project's order.
        seed: of the bootstrap.

    Raises:
        ValueError: there is no row, or a class is not among `emotions`.
    """
    if not predictions:
        raise ValueError("there is no face to score")
    targets, predicted = _classes(predictions, emotions)
    units = resampling_units(predictions)
    matrices = confusion_by_unit(targets, predicted, units.index, num_units=len(units.names), num_classes=len(emotions))
    matrix = matrices.sum(0)
    generator = np.random.default_rng(seed)
    intervals = bootstrap_intervals(matrices, SCORES, kind=units.kind, generator=generator)
    return Evaluation(tuple(emotions), matrix, scores_of(matrix, emotions), intervals)


def without(predictions: Sequence[Prediction], face_ids: Collection[str]) -> list[Prediction]:
    """The predictions of all faces but `face_ids`."""
    return [row for row in predictions if row.face_id not in face_ids]


def scores_by_subject(predictions: Sequence[Prediction], emotions: Sequence[str]) -> list[GroupScores]:
    """The figures of each subject, by name; faces without a subject stand under the empty name."""
    groups: dict[str, list[Prediction]] = {}
    for row in predictions:
        groups.setdefault(row.subject_id, []).append(row)
    return [_group_scores(name, groups[name], emotions) for name in sorted(groups)]


def calibration_of(predictions: Sequence[Prediction], emotions: Sequence[str]) -> Calibration:
    """Calibration of the rows' probabilities (see `calibration.calibration`)."""
    targets, _ = _classes(predictions, emotions)
    return calibration(_probabilities(predictions, emotions), targets)


def arrays_of(
    predictions: Sequence[Prediction], emotions: Sequence[str]
) -> tuple[Float64[np.ndarray, "faces classes"], Int64[np.ndarray, " faces"]]:
    """Probabilities and true classes of labelled rows, classes in the order of `emotions`."""
    targets, _ = _classes(predictions, emotions)
    return _probabilities(predictions, emotions), targets


def evaluation_record(evaluation: Evaluation) -> dict[str, Any]:  # JSON values
    """The part of metrics.json that comes from the predictions alone."""
    first = next(iter(evaluation.intervals.values()))
    emotion, share = evaluation.majority_class
    return {
        "num_faces": evaluation.scores.num_faces,
        **{name: _interval_record(interval) for name, interval in evaluation.intervals.items()},
        "majority_class": {"emotion": emotion, "value": share},
        "per_class": {row.emotion: _without_name(asdict(row)) for row in evaluation.scores.per_class},
        "absent_classes": list(evaluation.scores.absent),
        "interval": {
            "method": "percentile bootstrap over whole units",
            "unit": first.unit,
            "num_units": first.num_units,
            "level": LEVEL,
            "num_draws": NUM_DRAWS if first.low is not None else 0,
            "reason": first.reason,
        },
    }


def _classes(predictions: Sequence[Prediction], emotions: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    places = {emotion: place for place, emotion in enumerate(emotions)}
    try:
        targets = np.array([places[row.label] for row in predictions], np.int64)
        predicted = np.array([places[row.predicted] for row in predictions], np.int64)
    except KeyError as error:
        raise ValueError(f"class {error} is not among {', '.join(emotions)}") from error
    return targets, predicted


def _probabilities(predictions: Sequence[Prediction], emotions: Sequence[str]) -> Float64[np.ndarray, "faces classes"]:
    return np.array([[row.probabilities[emotion] for emotion in emotions] for row in predictions], np.float64)


def _group_scores(name: str, rows: Sequence[Prediction], emotions: Sequence[str]) -> GroupScores:
    scores = scores_of(confusion_matrix(*_classes(rows, emotions), len(emotions)), emotions)
    num_classes = len(emotions) - len(scores.absent)
    return GroupScores(name, scores.num_faces, scores.accuracy, scores.balanced_accuracy, num_classes)


def _interval_record(interval: Interval) -> dict[str, Any]:  # JSON values
    record = {"value": interval.value, "low": interval.low, "high": interval.high, "unit": interval.unit}
    return record | {"reason": interval.reason} if interval.reason else record


def _without_name(record: dict[str, Any]) -> dict[str, Any]:  # JSON values
    return {key: value for key, value in record.items() if key != "emotion"}
