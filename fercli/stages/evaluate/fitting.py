"""What a run's validation faces say of its probabilities: their predictions and a temperature, kept in the run.

`calibration[-<variant>].json` in the run's folder holds the temperature, or why there is none, with a digest of what it
was fitted on; `calibration[-<variant>].csv` holds the predictions of the validation faces, from which thresholds are
chosen. `fer eval` writes both, `fer predict` reads them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fercli.core.commit import Commit
from fercli.core.errors import MissingStageError, ProjectError
from fercli.core.files import read_text, sha256_of
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Prediction
from fercli.core.runs import Run, digest
from fercli.core.tables import read_table, table_text
from fercli.data.run_crops import crop_changes
from fercli.data.samples import run_samples
from fercli.metrics.evaluation import arrays_of
from fercli.metrics.intervals import resampling_units
from fercli.metrics.temperature import Temperature, fit_temperature
from fercli.stages.evaluate import EvalSettings, calibration_file, predictions_mark, variant_of

SCHEMA = "fer.calibration/1"
_NO_FACES = "the run has no validation faces"


@dataclass(frozen=True)
class Fitted:
    """The predictions of the validation faces and the temperature fitted on them; None with a reason."""

    predictions: list[Prediction]
    temperature: Temperature | None
    mark: str
    reason: str = ""


NOT_FITTED = Fitted([], None, "", "no temperature was looked for")


def fit(
    project: Project,
    run: Run,
    settings: EvalSettings,
    predict: Callable[[EvalSettings], list[Prediction]],
    *,
    force: bool,
    progress: Progress,
) -> Fitted:
    """Fit the temperature of the weights and views that `settings` name on the run's validation faces.

    Predictions that an earlier call kept are taken if they are of the same weights, labels and crops.

    Args:
        project: the run's.
        run: whose.
        settings: of the evaluation, whatever its set.
        predict: predicts the set that its settings name.
        force: predict again whatever is kept.
        progress: told how far it is.
    """
    own = replace(settings, split="val")
    try:
        samples = run_samples(project, run, "val")
    except MissingStageError:
        return Fitted([], None, "", _NO_FACES)
    changes = crop_changes(project, run, ["val"], progress=progress)
    if changes and (changes.missing or changes.unreadable or (changes.words and not settings.accept_other_crops)):
        why = changes.words or "crops cannot be read"
        return Fitted([], None, "", f"the validation crops are not those of the training: {why}")
    crops = project.digests(samples.paths, "faces.csv")
    mark = digest([predictions_mark(project, run, own), crops])
    known = None if force else _known(run, variant_of(settings), mark)
    predictions = known or predict(own)
    return Fitted(predictions, temperature_of(predictions, run.record.classes, settings.seed), mark)


def temperature_of(predictions: Sequence[Prediction], classes: Sequence[str], seed: int) -> Temperature:
    """The temperature that makes these labelled predictions likeliest."""
    probabilities, targets = arrays_of(predictions, classes)
    units = resampling_units(predictions)
    return fit_temperature(probabilities, targets, units, generator=np.random.default_rng(seed))


def temperature_record(fitted: Fitted) -> dict[str, Any]:  # JSON values
    """The temperature as metrics.json and calibration.json have it; `value` is None where none was fitted."""
    found = fitted.temperature
    if found is None:
        return {"value": None, "reason": fitted.reason}
    likely = {"likely_low": found.likely_low, "likely_high": found.likely_high}
    return {**asdict(found.value), "num_faces": found.num_faces, "is_at_edge": found.is_at_edge, **likely}


def put_fitted(run: Run, settings: EvalSettings, fitted: Fitted, commit: Commit) -> tuple[str, ...]:
    """Commit the two files of the run; the second only where there is something in it."""
    variant = variant_of(settings)
    values = {
        "schema": SCHEMA,
        "checkpoint": settings.checkpoint,
        "test_time": settings.test_time,
        "classes": list(run.record.classes),
        "weights": _weights(run, settings.checkpoint),
        "mark": fitted.mark,
        "temperature": temperature_record(fitted),
    }
    path, table = (calibration_file(run, variant, ending) for ending in ("json", "csv"))
    written = commit.text(path, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    if not fitted.predictions:
        if table.exists():
            commit.delete(table)
        return (written,)
    return written, commit.text(table, table_text(fitted.predictions, Prediction, run.record.classes))


def read_fitted(
    run: Run, variant: str, command: str, checkpoint: str
) -> tuple[dict[str, Any], list[Prediction]]:  # JSON values
    """The temperature's record and the validation predictions of a run.

    Args:
        run: whose.
        variant: of the weights.
        command: that makes them, for the hint.
        checkpoint: the weights that it is wanted for.

    Raises:
        MissingStageError: nothing was fitted yet, or for weights that have changed since.
        ProjectError: the file is damaged.
    """
    path = calibration_file(run, variant, "json")
    try:
        record = json.loads(read_text(path))
        temperature = dict(record["temperature"])
    except FileNotFoundError as error:
        problem = f"no temperature and no thresholds are fitted for run '{run.run_id}'"
        raise MissingStageError(problem, hint=f"Run: {command}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProjectError(f"'{path}' cannot be read: {error}", hint=f"Make it again: {command} --force") from error
    if temperature.get("value") is None:
        raise MissingStageError(
            f"no temperature and no thresholds are fitted for run '{run.run_id}': {temperature.get('reason')}",
            hint="Predict without --calibrated and --target-accuracy, or train on a split with a validation set.",
        )
    if record.get("weights") != _weights(run, checkpoint):
        problem = f"the weights of run '{run.run_id}' have changed since its temperature was fitted"
        raise MissingStageError(problem, hint=f"Run: {command}")
    return temperature, read_table(calibration_file(run, variant, "csv"), Prediction)


def _weights(run: Run, checkpoint: str) -> str:
    """A digest of the description of a checkpoint, which holds that of its weights; empty where it is missing."""
    named = checkpoint in ("best", "last")
    path = run.folder / "checkpoints" / f"{checkpoint}.json" if named else Path(checkpoint).with_suffix(".json")
    return sha256_of(path) if path.is_file() else ""


def _known(run: Run, variant: str, mark: str) -> list[Prediction] | None:
    path, table = (calibration_file(run, variant, ending) for ending in ("json", "csv"))
    try:
        is_same = json.loads(read_text(path))["mark"] == mark
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return read_table(table, Prediction) if is_same and table.exists() else None
