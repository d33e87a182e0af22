"""Write the sections of `fer report` on model, training, results, maps and errors."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import numpy as np

from fercli.core.errors import FerError
from fercli.core.files import check_plain
from fercli.core.project import Project
from fercli.core.rows import Face, Prediction
from fercli.core.runs import Run, eval_folder, read_headline
from fercli.core.tables import read_table
from fercli.core.words import counted
from fercli.data.crops import CropError, CropFiles
from fercli.learn.history import EpochRow
from fercli.models.table.specs import ModelSpec, find_spec
from fercli.reports.figures.canvas import class_labels
from fercli.reports.figures.grids import SheetFace, draw_contact_sheet
from fercli.reports.figures.slimming import slim
from fercli.reports.page import Section, duration
from fercli.reports.sections.closing import cam_section, wrong_section
from fercli.reports.sections.results import (
    Outcome,
    interval_of,
    model_section,
    outcome_of,
    result_section,
    training_section,
)
from fercli.stages.groups.page import group_tables
from fercli.stages.report.files import read_config, read_json
from fercli.stages.transfer.page import transfer_tables

_MOST_MISTAKES = 12
# Frames of one subject look alike: a sheet of a single unlucky pupil would say little.
_MOST_OF_A_SUBJECT = 2
_FACT_NAMES = {"lr": "learning rate"}


def run_outcome(run: Run | None, split: str, ceiling: float | None, names: Mapping[str, str]) -> Outcome | None:
    """What `fer eval` found on one part; None when it has not been run.

    Args:
        run: whose.
        split: which part.
        ceiling: of people, where metrics.json has none of its own.
        names: stand-ins of subjects' ids that may be names of people.
    """
    if run is None:
        return None
    folder = eval_folder(run, split)
    metrics = read_headline(run, split)
    # Older versions kept other weights, or test-time augmentation, in the same folder: that is no headline.
    is_other = (folder / "metrics.json").exists() and metrics is None and bool(read_json(folder / "metrics.json"))
    if is_other or not (folder / "predictions.csv").exists():
        return None
    rows = read_table(folder / "predictions.csv", Prediction)
    predictions = [replace(row, subject_id=names.get(row.subject_id, row.subject_id)) for row in rows]
    if not any(row.label for row in predictions):
        return None
    metrics = metrics or {}
    own = interval_of(metrics, "human_ceiling").get("value")
    own_ceiling = float(own) if isinstance(own, int | float) else ceiling
    return outcome_of(predictions, metrics, run.record.classes, split=split, ceiling=own_ceiling)


def run_sections(
    project: Project,
    run: Run | None,
    split: str,
    outcome: Outcome | None,
    *,
    reads: dict[str, str],
    crop_doubts: Sequence[str] = (),
) -> list[Section]:
    """The parts about model, training, results, maps and mistakes; each says so where it has nothing.

    The digests of the crops that are shown come into `reads`; `crop_doubts` are said beside the results.
    """
    if run is None:
        parts = [model_section(None, "", len(project.classes), {}), training_section({}, (), best_epoch=None)]
        return [*parts, result_section(None), cam_section(None, ()), wrong_section(None, (), 0, None)]
    config = read_config(run)
    name = run.record.model
    wrong = _mistakes(outcome)
    shown = _to_show(wrong)
    sheet, problems = _mistake_sheet(project, shown, reads)
    results = result_section(outcome)
    last = wrong_section(sheet, shown, len(wrong), outcome.scores.num_faces if outcome else None)
    return [
        model_section(_spec(name), name, len(run.record.classes), config.get("model", {})),
        training_section(history_columns(run), _training_facts(run), best_epoch=_best_epoch(run)),
        replace(
            results,
            warnings=(*crop_doubts, *results.warnings),
            tables=(*results.tables, *(group_tables(run, split) if outcome else ()), *transfer_tables(run)),
        ),
        cam_section(*_grid(run)),
        replace(last, warnings=(*last.warnings, *problems)),
    ]


def _spec(name: str) -> ModelSpec | None:
    """The network's row; None for one that is not known here, or whose library is not installed."""
    try:
        return find_spec(name)
    except FerError:
        return None


def read_pictures(
    project: Project, paths: Sequence[str], reads: dict[str, str]
) -> tuple[list[np.ndarray | None], tuple[str, ...]]:
    """Crops of the project in RGB, and what to say of those that are missing or damaged.

    They are None, and a page can do without. The files' digests come into `reads`.
    """
    reads |= project.digests(paths, "faces.csv")
    found: list[np.ndarray | None] = []
    errors: list[CropError] = []
    files = CropFiles(project.root)
    for path in paths:
        try:
            found.append(files.read_rgb(path))
        except CropError as error:
            found.append(None)
            errors.append(error)
    if not errors:
        return found, ()
    first = errors[0]
    said = f"{counted(len(errors), 'crop')} cannot be shown: {first.message}. {first.hint}"
    return found, (f"{said}.",)


def history_columns(run: Run) -> dict[str, list[float | None]]:
    """The columns of metrics.csv as numbers, None where a cell is empty; none when no epoch is finished.

    Raises:
        TableError: it is damaged.
    """
    path = run.folder / "metrics.csv"
    rows = read_table(path, EpochRow) if path.exists() else []
    return {column.name: [getattr(row, column.name) for row in rows] for column in fields(EpochRow)} if rows else {}


def _best_epoch(run: Run) -> int | None:
    best = run.record.result.get("best")
    epoch = best.get("epoch") if isinstance(best, dict) else None
    return epoch if isinstance(epoch, int) else None


def _training_facts(run: Run) -> list[tuple[str, str]]:
    config, record = read_config(run), run.record
    decided, result = record.decided, record.result
    facts: list[tuple[str, object]] = [("status", run.status), ("stop reason", record.reason)]
    facts += [("epochs", result.get("epochs")), ("best epoch", _best_epoch(run))]
    facts += [(name, config.get("train", {}).get(name)) for name in ("recipe", "seed")]
    plan = ("batch_size", "lr", "optimizer", "schedule", "weight_decay", "label_smoothing", "class_weights")
    facts += [(_FACT_NAMES.get(name, name.replace("_", " ")), config.get("plan", {}).get(name)) for name in plan]
    facts += [("precision", decided.get("precision")), ("device", decided.get("device_name", decided.get("device")))]
    seconds = result.get("seconds")
    facts += [("training time", duration(seconds) if isinstance(seconds, int | float) else None)]
    facts += [("images per second", result.get("images_per_s"))]
    return [(name, _plain(value)) for name, value in facts if value not in (None, "", "none")]


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value) if isinstance(value, str | int) else ""


def _mistakes(outcome: Outcome | None) -> list[Prediction]:
    if outcome is None:
        return []
    wrong = [row for row in outcome.predictions if row.label != row.predicted]
    return sorted(wrong, key=lambda row: (-row.probabilities.get(row.predicted, 0.0), row.face_id))


def _mistake_sheet(
    project: Project, shown: Sequence[Prediction], reads: dict[str, str]
) -> tuple[bytes | None, tuple[str, ...]]:
    path_of = {face.face_id: face.path for face in project.rows(Face)}
    pictures, problems = read_pictures(project, [path_of.get(row.face_id, "") for row in shown], reads)
    classes = [*dict.fromkeys(name for row in shown for name in row.probabilities)]
    label_of = dict(zip(classes, class_labels(classes), strict=True))
    faces = [
        SheetFace(
            picture,
            (
                f"true {label_of[row.label]}",
                f"predicted {label_of[row.predicted]}",
                f"{max(row.probabilities.values()):.0%}",
            ),
        )
        for row, picture in zip(shown, pictures, strict=True)
        if picture is not None
    ]
    return (slim(draw_contact_sheet(faces, num_columns=6, size_px=110)) if faces else None), problems


def _to_show(wrong: Sequence[Prediction]) -> list[Prediction]:
    """The surest mistakes, at most two of a subject."""
    taken: Counter[str] = Counter()
    shown = []
    for row in wrong:
        taken[row.subject_id] += 1
        if not row.subject_id or taken[row.subject_id] <= _MOST_OF_A_SUBJECT:
            shown.append(row)
    return shown[:_MOST_MISTAKES]


def _grid(run: Run) -> tuple[bytes | None, list[tuple[str, str]]]:
    path = run.folder / "gradcam" / "grid.png"
    try:
        check_plain(path)
    except OSError:
        return None, []
    return slim(path.read_bytes(), largest=900_000), []
