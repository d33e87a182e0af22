"""`fer eval`: a trained run and held-out faces to scores with intervals, tables and figures."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fercli.core.memory import fingerprint, read_state, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label, Prediction, Vote
from fercli.core.runs import Run, find_own_run, writing_part
from fercli.core.settings import setting
from fercli.core.tables import read_table

if TYPE_CHECKING:
    from fercli.stages.evaluate.findings import Findings


@dataclass(frozen=True)
class EvalSettings:
    """What is evaluated, and what of it is shown."""

    split: Literal["train", "val", "test"] = setting("test", "Score the faces of this part.")
    confusion: bool = setting(False, "Show the confusion matrix.")
    normalize: Literal["true", "pred", "none"] = setting("true", "Draw shares of true or predicted, or counts.")
    by: Literal["subject"] | None = setting(None, "Show the scores of each subject.")
    calibration: bool = setting(False, "Show how far the probabilities can be trusted.")
    checkpoint: str = setting("best", "Use best, last or a .safetensors file.")
    test_time: Literal["none", "flip", "ten-crop"] = setting("none", "Average over views of a face.", option="tta")
    device: str = setting("auto", "Compute on: auto, cpu, cuda, mps.")
    batch_size: int = setting(128, "Take so many faces at once.", minimum=1)
    seed: int = setting(0, "Draw the intervals' resamples with this seed.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class EvalResult(StageResult):
    """How good the run is on one part of the faces.

    Attributes:
        accuracy: value, low, high and unit of its interval; so the two below.
        majority_class: the most frequent true class and its share, which calling every face so would reach.
        human_ceiling: how often one annotator is the majority of the others, where there are votes.
        without_duplicates: the scores without faces that are byte-identical to one of an earlier part.
        matrix: the confusion matrix, rows true.
    """

    run: str
    split: str
    checkpoint: str
    classes: tuple[str, ...] = ()
    num_faces: int = 0
    accuracy: dict[str, Any] = field(default_factory=dict)
    balanced_accuracy: dict[str, Any] = field(default_factory=dict)
    macro_f1: dict[str, Any] = field(default_factory=dict)
    majority_class: dict[str, Any] = field(default_factory=dict)
    human_ceiling: dict[str, Any] | None = None
    without_duplicates: dict[str, Any] | None = None
    calibration_error: float | None = None
    per_class: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_subject: tuple[dict[str, Any], ...] = ()
    matrix: tuple[tuple[int, ...], ...] = ()


def evaluate(
    project: Project,
    settings: EvalSettings,
    run: str = "",
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
) -> EvalResult:
    """Score a run's network on faces that it did not learn from; everything lies in the run's eval/<split>/.

    Args:
        project: with the faces.
        settings: which faces, which weights.
        run: id of a run, or a part of it; the newest finished one when empty.
        progress: told of the predictions.
        force: compute again although nothing has changed.
        dry_run: only say what would be computed.

    Raises:
        MissingStageError: no run is finished, or it has no face in this part.
        InputError: no such run in this project, or its checkpoint cannot be read.
    """
    chosen = find_own_run(project.root, run)
    stage, mark = f"eval-{chosen.run_id}-{settings.split}", _mark(project, chosen, settings)
    if not force and (known := recall(project.root, stage, mark, EvalResult)):
        return known
    what: dict[str, Any] = {"run": chosen.run_id, "split": settings.split, "checkpoint": settings.checkpoint}
    if dry_run:
        plan = f"score the {settings.split} faces with run {chosen.run_id} ({settings.checkpoint})"
        return EvalResult(**what, is_dry_run=True, plan=(plan,))
    from fercli.stages.evaluate.findings import find_out, write_files

    predictions_mark = _predictions_mark(project, chosen, settings)
    predictions = None if force else _known_predictions(project, chosen, settings, stage, mark=predictions_mark)
    predictions = predictions or _predict(project, chosen, settings, progress)
    findings = find_out(project, chosen, settings, predictions)
    with writing_part(chosen.folder / "eval" / settings.split):
        outputs = write_files(project, chosen, settings, findings)
        result = _result(what, findings, outputs, tuple(_warnings(project, chosen, settings, findings)))
        remember(project.root, stage, mark, settings, result=result, items={"predictions": predictions_mark})
    return result


def _known_predictions(
    project: Project, run: Run, settings: EvalSettings, stage: str, *, mark: str
) -> list[Prediction] | None:
    """The predictions that an earlier call has written, when nothing that they depend on has changed."""
    before = read_state(project.root, stage)
    path = run.folder / "eval" / settings.split / "predictions.csv"
    is_known = before is not None and before.items.get("predictions") == mark and path.exists()
    return read_table(path, Prediction) if is_known else None


def _predict(project: Project, run: Run, settings: EvalSettings, progress: Progress) -> list[Prediction]:
    from fercli.learn.predict import load_run_model, predict_probabilities
    from fercli.stages.gradcam.work import run_samples

    samples = run_samples(project, run, settings.split)
    loaded = load_run_model(run.folder, settings.checkpoint, settings.device)
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
    what: Mapping[str, Any], findings: "Findings", outputs: tuple[str, ...], warnings: tuple[str, ...]
) -> EvalResult:
    metrics = findings.metrics
    shared = ("num_faces", "accuracy", "balanced_accuracy", "macro_f1", "majority_class", "human_ceiling", "per_class")
    return EvalResult(
        **what,
        **{name: metrics[name] for name in shared},
        without_duplicates=metrics["without_duplicates"],
        classes=findings.evaluation.emotions,
        calibration_error=findings.calibration.ece,
        by_subject=tuple(dataclasses.asdict(row) for row in findings.subjects),
        matrix=tuple(tuple(row) for row in findings.evaluation.matrix.tolist()),
        outputs=outputs,
        warnings=warnings,
        next_command="fer gradcam",
    )


def _warnings(project: Project, run: Run, settings: EvalSettings, findings: "Findings") -> Iterator[str]:
    if settings.split != "test":
        use = "learned from these faces" if settings.split == "train" else "was chosen by these faces"
        yield f"The model {use}: the scores of {settings.split} say nothing about other people."
    reason = findings.metrics["interval"]["reason"]
    if reason:
        yield f"There is no interval: {reason}."
    absent = findings.evaluation.scores.absent
    if absent:
        yield f"No face of this part is {' or '.join(absent)}; balanced accuracy and macro-F1 leave that out."
    without = findings.metrics["without_duplicates"]
    if without:
        yield (
            f"{without['num_left_out']} of {findings.metrics['num_faces']} faces are byte-identical to one of an "
            f"earlier part; accuracy without them is {without['accuracy']['value']:.2%}."
        )
    changed = _num_changed_labels(project, run, findings)
    if changed:
        yield f"The labels of {changed} of these faces have changed since the run was trained; the run's own were used."


def _num_changed_labels(project: Project, run: Run, findings: "Findings") -> int:
    if not (run.folder / "labels.csv").exists():
        return 0
    now = {label.face_id: label.label for label in project.rows(Label)}
    return sum(now.get(row.face_id, row.label) != row.label for row in findings.predictions)


def _mark(project: Project, run: Run, settings: EvalSettings) -> str:
    # What is only shown makes no difference to what is computed and written.
    computed = dataclasses.replace(settings, confusion=False, by=None, calibration=False)
    tables = [project.table_path(Label), project.table_path(Vote), project.split_path("official").with_suffix(".json")]
    return fingerprint(computed, tables, _predictions_mark(project, run, settings))


def _predictions_mark(project: Project, run: Run, settings: EvalSettings) -> str:
    """What predictions.csv depends on; with another seed or normalisation it is taken as it is."""
    named = settings.checkpoint in ("best", "last")
    weights = run.folder / "checkpoints" / f"{settings.checkpoint}.json" if named else Path(settings.checkpoint)
    own = [run.folder / name for name in ("split.csv", "labels.csv")]
    choices = dataclasses.replace(EvalSettings(), split=settings.split, checkpoint=settings.checkpoint)
    choices = dataclasses.replace(choices, test_time=settings.test_time, device=settings.device)
    return fingerprint(choices, [weights, *own, project.table_path(Face)], run.run_id)
