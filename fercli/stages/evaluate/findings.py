"""Compute everything that a run's eval folder holds from its predictions."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fercli.core.commit import Commit
from fercli.core.files import read_text
from fercli.core.people import people_doubt, unmatched_in_run
from fercli.core.project import Project
from fercli.core.rows import Face, Prediction, SplitRow, Vote
from fercli.core.runs import Run
from fercli.core.tables import read_table, table_text
from fercli.data.crops import CropFiles
from fercli.data.run_crops import CropChanges
from fercli.labels.annotators import compare_annotators
from fercli.metrics.calibration import Calibration
from fercli.metrics.evaluation import (
    Evaluation,
    GroupScores,
    calibration_of,
    evaluate,
    evaluation_record,
    scores_by_subject,
    without,
)
from fercli.metrics.intervals import resampling_units
from fercli.reports.figures.scores import draw_confusion, draw_reliability
from fercli.sources.census import picture_digest
from fercli.stages.evaluate import EvalSettings, folder_of, sets_of, variant_of
from fercli.stages.evaluate.doubt import doubt_pictures, doubt_record, people_record
from fercli.stages.evaluate.fitting import NOT_FITTED, Fitted, put_fitted
from fercli.stages.train.prepare import data_set_of

_EARLIER: dict[str, tuple[str, ...]] = {"train": (), "val": ("train",), "test": ("train", "val")}
_ELSEWHERE = "The model was trained on another dataset."
_CLASS_COLUMNS = ("emotion", "precision", "recall", "f1", "support", "num_predicted")
_SUBJECT_COLUMNS = ("subject_id", "num_faces", "accuracy", "balanced_accuracy", "num_classes")


@dataclass(frozen=True)
class Findings:
    """What the predictions on one part say; `metrics` is metrics.json."""

    predictions: list[Prediction]
    evaluation: Evaluation
    calibration: Calibration
    subjects: list[GroupScores]
    metrics: dict[str, Any]  # JSON values
    fitted: Fitted
    unmatched_videos: tuple[str, ...] = ()


def find_out(
    project: Project,
    run: Run,
    settings: EvalSettings,
    predictions: list[Prediction],
    changes: CropChanges | None = None,
    fitted: Fitted = NOT_FITTED,
) -> Findings:
    """Compute all scores of predictions on one part, one row a face.

    `changes` are those of the crops since the training, `fitted` what the validation faces say.
    """
    classes = run.record.classes
    evaluation = evaluate(predictions, classes, seed=settings.seed)
    calibrated = calibration_of(predictions, classes)
    has_subjects = any(row.subject_id for row in predictions)
    subjects = scores_by_subject(predictions, classes) if has_subjects else []
    copies = identical_to_earlier(project, run, settings.split)
    unmatched = unmatched_in_run(project, run)
    metrics = {
        "data_set": _data_set(project, run, predictions),
        "split": settings.split,
        "checkpoint": settings.checkpoint,
        "run": run.run_id,
        "model": run.record.model,
        "test_time": settings.test_time,
        "subjects": _how_known(predictions, unmatched, settings.split) if run.home is None else _ELSEWHERE,
        "variant": variant_of(settings),
        "crops": _crop_record(changes),
        **evaluation_record(evaluation),
        "calibration": {"ece": calibrated.ece, "brier": calibrated.brier, "nll": calibrated.nll},
        "doubt": doubt_record(predictions, classes, fitted, target=settings.target_accuracy, seed=settings.seed),
        "human_ceiling": _ceiling(project, classes, predictions, settings.seed),
        "people": people_record(project, classes, predictions, settings.seed),
        "without_duplicates": _without(predictions, classes, copies, settings.seed),
    }
    return Findings(predictions, evaluation, calibrated, subjects, metrics, fitted, unmatched)


def _data_set(project: Project, run: Run, predictions: Sequence[Prediction]) -> str:
    """What the run was trained on; of a model from elsewhere, what these faces are."""
    if run.home is None:
        return run.record.data_set or project.name
    return data_set_of(project, (row.face_id for row in predictions)) or project.name


def _how_known(predictions: Sequence[Prediction], unmatched: Sequence[str], split: str) -> str:
    """A sentence on how far the people of these faces are known to be in no other set."""
    if doubt := people_doubt(unmatched, sets_of(split)):
        return doubt[0]
    if not all(row.subject_id for row in predictions):
        return f"Subjects are not assigned, so people may be in both the {sets_of(split)}."
    return "Subjects are assigned."


def put_files(
    project: Project, run: Run, settings: EvalSettings, findings: Findings, commit: Commit
) -> tuple[str, ...]:
    """Commit the evaluation's folder; the files' paths relative to the project come back, metrics.json first."""
    folder = folder_of(run, settings)
    classes, evaluation, calibrated = run.record.classes, findings.evaluation, findings.calibration
    told = ", ".join(filter(None, (run.record.model, settings.split, variant_of(settings))))
    title = f"{told}, accuracy {evaluation.scores.accuracy:.1%}"
    texts = {
        "metrics.json": json.dumps(findings.metrics, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "per_class.csv": _csv_text(_CLASS_COLUMNS, (asdict(row).values() for row in evaluation.scores.per_class)),
        "confusion.csv": _confusion_text(evaluation, classes),
        "predictions.csv": table_text(findings.predictions, Prediction, classes),
    }
    if findings.subjects:
        rows = (asdict(row).values() for row in findings.subjects)
        texts["by_subject.csv"] = _csv_text(_SUBJECT_COLUMNS, rows)
    elif (folder / "by_subject.csv").exists():
        commit.delete(folder / "by_subject.csv")
    pictures = {
        "confusion.png": draw_confusion(evaluation.matrix, classes, normalize=settings.normalize, title=title),
        "reliability.png": draw_reliability(calibrated.bins, ece=calibrated.ece),
        **doubt_pictures(findings.predictions, classes, findings.metrics["doubt"]),
    }
    if "reliability_calibrated.png" not in pictures and (old := folder / "reliability_calibrated.png").exists():
        commit.delete(old)
    return (
        *(commit.text(folder / name, text) for name, text in texts.items()),
        *(commit.data(folder / name, picture) for name, picture in pictures.items()),
        *put_fitted(run, settings, findings.fitted, commit),
    )


def _crop_record(changes: CropChanges | None) -> dict[str, Any]:  # JSON values
    if changes is None:
        return {"is_known": False}
    return {"is_known": True, "num_changed": len(changes.changed), "num_missing": len(changes.missing)}


def identical_to_earlier(project: Project, run: Run, split: str) -> set[str]:
    """Faces of one part whose picture is byte-identical to one of an earlier part.

    A published split has its record beside it, which counts even when the run left the copies out of its training, but
    not when the run's own split puts them elsewhere; pictures in packs are compared as well. Frames of a video are not:
    a split of ours never leaks.
    """
    record = project.split_path("official").with_suffix(".json")
    known = json.loads(read_text(record))["leakage"]["identical"] if record.exists() else []
    own = run.folder / "split.csv"
    rows = [row for row in read_table(own, SplitRow) if row.fold is None] if own.exists() else []
    sides = {row.face_id: row.split for row in rows}
    found = {
        copy["face_id"]
        for copy in known
        if sides.get(copy["face_id"], copy["split"]) == split
        and sides.get(copy["copy_id"], copy["copy_split"]) in _EARLIER[split]
    }
    return found | _packed_copies(project, rows, split)


def _packed_copies(project: Project, rows: Sequence[SplitRow], split: str) -> set[str]:
    paths = {face.face_id: face.path for face in project.rows(Face) if "#" in face.path}
    sides = {row.face_id: row.split for row in rows if row.face_id in paths}
    if split not in sides.values() or not set(sides.values()) & set(_EARLIER[split]):
        return set()
    digests = _digests(project, {face_id: paths[face_id] for face_id in sides})
    earlier = {digests[face_id] for face_id, side in sides.items() if side in _EARLIER[split]}
    return {face_id for face_id, side in sides.items() if side == split and digests[face_id] in earlier}


def _digests(project: Project, paths: Mapping[str, str]) -> dict[str, bytes]:
    files = CropFiles(project.root)
    return {face_id: picture_digest(files.read(path)) for face_id, path in paths.items()}


def _ceiling(
    project: Project, classes: Sequence[str], predictions: Sequence[Prediction], seed: int
) -> dict[str, Any] | None:  # JSON values
    """How often one annotator is the majority of the others on these very faces; None without such votes."""
    faces = {row.face_id for row in predictions}
    votes = [vote for vote in project.rows(Vote) if vote.face_id in faces]
    known = {*classes, "unknown", "nf"}
    if not votes or any(vote.label not in known for vote in votes):
        return None
    units = resampling_units(predictions)
    names = [units.names[place] for place in units.index.tolist()]
    ceiling = compare_annotators(
        votes,
        classes,
        unit_name=units.kind,
        unit_of_face={row.face_id: name for row, name in zip(predictions, names, strict=True)},
        rng=np.random.default_rng(seed),
    ).ceiling
    if ceiling.value is None:
        return None
    record = {"value": ceiling.value, "low": ceiling.low, "high": ceiling.high, "unit": units.kind}
    return record | {"reason": ceiling.why_no_interval} if ceiling.why_no_interval else record


def _without(
    predictions: Sequence[Prediction], classes: Sequence[str], copies: set[str], seed: int
) -> dict[str, Any] | None:  # JSON values
    rest = without(predictions, copies)
    if len(rest) == len(predictions) or not rest:
        return None
    record = evaluation_record(evaluate(rest, classes, seed=seed))
    scores = {name: record[name] for name in ("num_faces", "accuracy", "balanced_accuracy", "macro_f1")}
    return scores | {"num_left_out": len(predictions) - len(rest)}


def _confusion_text(evaluation: Evaluation, classes: Sequence[str]) -> str:
    rows = ([name, *counts] for name, counts in zip(classes, evaluation.matrix.tolist(), strict=True))
    return _csv_text(("true\\predicted", *classes), rows)


def _csv_text(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Rows in their own order, an empty cell for None."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    return out.getvalue()
