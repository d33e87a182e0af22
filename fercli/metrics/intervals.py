"""Compute confidence intervals: a seeded percentile bootstrap that resamples people, not their faces.

Faces of one person, and frames of one video, resemble each other; drawing faces one by one would make an interval too
narrow. The unit that is drawn is therefore the subject, else the video, else the face.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64, Integer

from fercli.core.rows import MIN_UNITS, Face, Prediction
from fercli.metrics.scores import Score

UnitKind = Literal["subject", "video", "face"]
NUM_DRAWS = 2000
LEVEL = 0.95
# Draws made at once: 250 draws of 30,000 units are 60 MB.
CELLS_AT_ONCE = 8_000_000


@dataclass(frozen=True, eq=False)
class Units:
    """What is resampled: its `kind`, and for each face the `index` of its unit (0..count-1), named by `names`."""

    kind: UnitKind
    index: Int64[np.ndarray, " faces"]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Interval:
    """A score with its bootstrap interval; `low` and `high` are None when there is none, and `reason` says why."""

    value: float
    low: float | None
    high: float | None
    unit: UnitKind
    num_units: int
    reason: str = ""


def units_of(rows: Sequence[Prediction | Face]) -> tuple[UnitKind, dict[str, str]]:
    """What is resampled, and the unit of each face, by its id: the one home of this choice.

    The subject if every face has one, else the video if every face has one, else each face by itself.
    """
    if rows and all(row.subject_id for row in rows):
        return "subject", {row.face_id: row.subject_id for row in rows}
    if rows and all(row.video_id for row in rows):
        return "video", {row.face_id: row.video_id for row in rows}
    return "face", {row.face_id: row.face_id for row in rows}


def resampling_units(predictions: Sequence[Prediction]) -> Units:
    """The units of predictions, ordered by name."""
    kind, unit_of_face = units_of(predictions)
    return _units(kind, [unit_of_face[row.face_id] for row in predictions])


def bootstrap_intervals(
    matrices: Integer[np.ndarray, "units classes classes"],
    scores: Mapping[str, Score],
    *,
    kind: UnitKind,
    generator: np.random.Generator,
    num_draws: int = NUM_DRAWS,
    level: float = LEVEL,
) -> dict[str, Interval]:
    """Each score of all units together, with its percentile interval over `num_draws` resamples of the units.

    All scores see the same resamples. With fewer than `MIN_UNITS` units there is no interval, and `reason` says so.

    Args:
        matrices: one confusion matrix for each unit, rows true.
        scores: by name, as `scores.SCORES`.
        kind: what a unit is, for the record.
        generator: gives the draws; the same seed gives the same intervals.
        num_draws: resamples.
        level: share of the resamples that an interval spans.
    """
    whole, num_units = matrices.sum(0), len(matrices)
    if reason := why_no_interval(num_units, kind):
        return {
            name: Interval(float(score(whole)), None, None, kind, num_units, reason) for name, score in scores.items()
        }
    draws = resample_matrices(matrices, generator, num_draws)
    ends = [(1 - level) / 2, (1 + level) / 2]
    intervals = {}
    for name, score in scores.items():
        # A resample may hold no face at all where a unit is empty: it has no score.
        low, high = np.nanquantile(score(draws), ends)
        intervals[name] = Interval(float(score(whole)), float(low), float(high), kind, num_units)
    return intervals


def why_no_interval(num_units: int, kind: UnitKind) -> str:
    """Why so few units have no interval; empty where they are enough."""
    if num_units >= MIN_UNITS:
        return ""
    return f"only {num_units} {kind}{'' if num_units == 1 else 's'}; a confidence interval needs at least {MIN_UNITS}"


def resample_matrices(matrices: np.ndarray, generator: np.random.Generator, num_draws: int) -> np.ndarray:
    """Confusion matrices of `num_draws` resamples, "draws classes classes"."""
    num_units, num_classes = len(matrices), matrices.shape[-1]
    # Units with equal matrices are interchangeable: drawing how many of each kind is the same draw, and for pictures
    # (one face each) it takes at most classes x classes kinds in place of tens of thousands of units.
    kinds, multiplicity = np.unique(matrices.reshape(num_units, -1), axis=0, return_counts=True)
    chances = multiplicity / num_units
    at_once = max(1, CELLS_AT_ONCE // len(kinds))
    draws = [
        generator.multinomial(num_units, chances, size=min(at_once, num_draws - start)) @ kinds
        for start in range(0, num_draws, at_once)
    ]
    return np.concatenate(draws).reshape(num_draws, num_classes, num_classes)


def _units(kind: UnitKind, names: list[str]) -> Units:
    unique = sorted(set(names))
    places = {name: place for place, name in enumerate(unique)}
    return Units(kind, np.array([places[name] for name in names], np.int64), tuple(unique))
