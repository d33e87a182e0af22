"""Do the work of `fer eval`: predict held-out faces and score the predictions."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fercli.core.baseline import state_words
from fercli.core.commit import Commit
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Label, Prediction
from fercli.core.runs import Run
from fercli.core.splits import usual_split
from fercli.core.words import counted
from fercli.data.run_crops import CropChanges, check_crops, crop_changes
from fercli.data.samples import run_samples
from fercli.learn.checkpoints import class_order_words
from fercli.learn.predict import load_run_model, predict_probabilities
from fercli.reports.figures.canvas import number_words
from fercli.stages.align import align_command
from fercli.stages.align.rules import crop_words
from fercli.stages.evaluate import (
    EvalResult,
    EvalSettings,
)
from fercli.stages.evaluate.findings import Findings, find_out, put_files
from fercli.stages.evaluate.fitting import fit
from fercli.stages.evaluate.plan import EvalPlan

# Published datasets that consist of the images of a training.
_SAME_IMAGES = {"fer2013": ("fer2013", "ferplus")}


def run(project: Project, settings: EvalSettings, plan: EvalPlan, *, progress: Progress) -> Findings:
    """Predict faces that the run has not been trained on, and score the predictions.

    Raises:
        MissingStageError: the run has no face in this set.
        InputError: its checkpoint cannot be read.
        ProjectError: the crops of the set are not those that the run was trained with.
    """
    changes = _look_at_crops(project, plan.run, settings, progress)
    predictions = plan.predictions or _predict(project, plan.run, settings, progress)

    def predict(asked: EvalSettings) -> list[Prediction]:
        return predictions if asked == settings else _predict(project, plan.run, asked, progress)

    fitted = fit(project, plan.run, settings, predict, force=plan.is_forced, progress=progress)
    return find_out(project, plan.run, settings, predictions, changes, fitted)


def fold(
    project: Project, settings: EvalSettings, plan: EvalPlan, findings: Findings, commit: Commit, *, force: bool
) -> EvalResult:
    """Write the run's eval/<split>[-<variant>]/."""
    outputs = put_files(project, plan.run, settings, findings, commit)
    commit.items, commit.reads = {"predictions": plan.mark}, plan.reads
    return _result(plan.counts, findings, outputs, tuple(_warnings(project, plan.run, settings, findings)))


def _look_at_crops(project: Project, run: Run, settings: EvalSettings, progress: Progress) -> CropChanges | None:
    if settings.accept_other_crops:
        return crop_changes(project, run, [settings.split], progress=progress)
    hint = f"Restore them ({align_command(run)}), or score these, marked, with --accept-other-crops."
    return check_crops(project, run, settings.split, hint, progress=progress)


def _predict(project: Project, run: Run, settings: EvalSettings, progress: Progress) -> list[Prediction]:
    samples = run_samples(project, run, settings.split)
    loaded = load_run_model(run.folder, settings.checkpoint, settings.device, classes=run.record.classes)
    probabilities = predict_probabilities(
        loaded, samples, test_time=settings.test_time, batch_size=settings.batch_size, progress=progress
    )
    classes = loaded.classes
    return [
        Prediction(
            samples.face_ids[row],
            samples.subject_ids[row],
            samples.video_ids[row],
            settings.split,
            classes[int(samples.targets[row])],
            classes[int(probabilities[row].argmax())],
            {name: round(float(share), 6) for name, share in zip(classes, probabilities[row], strict=True)},
        )
        for row in range(len(samples))
    ]


def _result(
    what: Mapping[str, Any], findings: Findings, outputs: tuple[str, ...], warnings: tuple[str, ...]
) -> EvalResult:
    metrics = findings.metrics
    shared = ("num_faces", "accuracy", "balanced_accuracy", "macro_f1", "majority_class", "human_ceiling", "per_class")
    more = ("people", "doubt", "without_duplicates")
    return EvalResult(
        **what,
        **{name: metrics[name] for name in (*shared, *more)},
        classes=findings.evaluation.emotions,
        calibration_error=findings.calibration.ece,
        by_subject=tuple(dataclasses.asdict(row) for row in findings.subjects),
        matrix=tuple(tuple(row) for row in findings.evaluation.matrix.tolist()),
        outputs=outputs,
        warnings=warnings,
    )


def _warnings(project: Project, run: Run, settings: EvalSettings, findings: Findings) -> Iterator[str]:
    if run.home is not None:
        yield from _baseline_warnings(project, run, settings, findings)
    elif settings.split != "test":
        use = "trained on" if settings.split == "train" else "selected on"
        yield f"The model was {use} these faces, so {settings.split} scores do not generalise to new people."
    if settings.split == "val" and "calibrated" in findings.metrics["doubt"]:
        yield "The temperature and the thresholds were fitted on these same faces: on new faces they may do less well."
    if settings.checkpoint not in ("best", "last"):
        yield from class_order_words(Path(settings.checkpoint), run.record.classes)
    if run.home is None:  # else it was trained on no crop of this project
        yield from _crop_warnings(settings, findings.metrics["crops"])
    yield from number_words(run.record.classes)
    reason = findings.metrics["interval"]["reason"]
    if reason:
        yield f"No confidence interval: {reason}."
    absent = findings.evaluation.scores.absent
    if absent:
        yield f"No face in this set is labelled {' or '.join(absent)}; balanced accuracy and macro-F1 exclude it."
    without = findings.metrics["without_duplicates"]
    if without:
        yield (
            f"{without['num_left_out']:,} of "
            f"{counted(findings.metrics['num_faces'], 'face is', 'faces are')} byte-identical to faces in "
            f"another set; accuracy without them is {without['accuracy']['value']:.2%}."
        )
    changed = _num_changed_labels(project, run, findings)
    if changed:
        yield f"The labels of {changed} of these faces have changed since the run was trained; the run's own were used."


def _crop_warnings(settings: EvalSettings, crops: Mapping[str, Any]) -> Iterator[str]:  # JSON values
    """What must be known of the crops that were scored."""
    if not crops["is_known"]:
        yield "The run does not record its crops; whether the present ones are those it was trained with is not known."
    elif settings.accept_other_crops:
        num_other = crops["num_changed"] + crops["num_missing"]
        yield (
            f"{crops['num_changed']:,} of these faces have other crops than at the training, and "
            f"{crops['num_missing']:,} are gone; the scores are marked."
            if num_other
            else "No crop has changed since the training; --accept-other-crops made no difference."
        )


def _baseline_warnings(project: Project, run: Run, settings: EvalSettings, findings: Findings) -> Iterator[str]:
    """What scores of a model are worth that was trained on other data."""
    yield from [*state_words(run), *crop_words(project, run)]
    if len(project.splits()) > 1:
        yield f"The project has several splits; the {settings.split} set is that of '{usual_split(project)}'."
    trained_on = run.record.data_set
    is_same = findings.metrics["data_set"] in _SAME_IMAGES.get(trained_on, ())
    if is_same and settings.split != "test":
        yield f"The baseline was trained on these faces or selected on them, so {settings.split} scores are too good."
    elif not is_same:
        yield f"If images of {trained_on} are in this project, the baseline may have been trained on them."


def _num_changed_labels(project: Project, run: Run, findings: Findings) -> int:
    if not (run.folder / "labels.csv").exists():
        return 0
    now = {label.face_id: label.label for label in project.rows(Label)}
    return sum(now.get(row.face_id, row.label) != row.label for row in findings.predictions)
