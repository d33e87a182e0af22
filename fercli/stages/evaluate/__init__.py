"""`fer eval`: evaluate a trained run and write metrics, confidence intervals and figures."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fercli.core.baseline import NAME as BASELINE
from fercli.core.baseline import find_model
from fercli.core.doubts import baseline_doubt
from fercli.core.memory import fingerprint
from fercli.core.people import unmatched_in_run, with_doubt
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label, Vote
from fercli.core.runs import OTHER_CROPS, Run, checkpoint_word, eval_folder, find_own_run, own_checkpoint
from fercli.core.settings import setting
from fercli.core.splits import usual_split
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.next_steps import run_words

# Rises when metrics.json comes to hold more; see `_older_inputs`.
_CONTENTS = 2


@dataclass(frozen=True)
class EvalSettings:
    """What is evaluated, and what of it is shown."""

    split: Literal["train", "val", "test"] = setting("test", "Evaluate on this set.")
    confusion: bool = setting(False, "Show the confusion matrix.")
    normalize: Literal["true", "pred", "none"] = setting(
        "true", "Normalise the confusion matrix by true or predicted class."
    )
    by: tuple[str, ...] | None = setting(None, "Compare groups by columns: subject, face-size, blur, ... or all.")
    calibration: bool = setting(False, "Show calibration and confidence thresholds.")
    checkpoint: str = setting("best", "Use the best or last checkpoint, or a .safetensors file.")
    test_time: Literal["none", "flip", "ten-crop"] = setting("none", "Use test-time augmentation.", option="tta")
    accept_other_crops: bool = setting(
        False, "Evaluate even if the crops are not those of the training.", is_later=True
    )
    target_accuracy: float = setting(
        0.9, "Choose a confidence threshold for this accuracy.", minimum=0, maximum=1, is_later=True
    )
    device: str = setting("auto", "Run on this device: auto, cpu, cuda or mps.")
    batch_size: int = setting(128, "Set the batch size.", minimum=1)
    seed: int = setting(0, "Set the random seed of the bootstrap.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class EvalResult(StageResult):
    """How good the run is on one part of the faces.

    Attributes:
        variant: what tells it from the evaluation of the best weights, in the name of its folder; empty for that one.
        accuracy: value, low, high and unit of its interval; so the two below.
        majority_class: the most frequent true class and its share, which calling every face so would reach.
        human_ceiling: how often one annotator is the majority of the others, where there are votes.
        people: model and annotators held against the same votes, by both rules of `labels.ceiling`.
        doubt: calibration before and after a temperature, and thresholds, as in metrics.json.
        without_duplicates: the scores without faces that are byte-identical to one of an earlier part.
        matrix: the confusion matrix, rows true.
    """

    run: str
    split: str
    checkpoint: str
    variant: str = ""
    classes: tuple[str, ...] = ()
    num_faces: int = 0
    accuracy: dict[str, Any] = field(default_factory=dict)
    balanced_accuracy: dict[str, Any] = field(default_factory=dict)
    macro_f1: dict[str, Any] = field(default_factory=dict)
    majority_class: dict[str, Any] = field(default_factory=dict)
    human_ceiling: dict[str, Any] | None = None
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    doubt: dict[str, Any] = field(default_factory=dict)
    without_duplicates: dict[str, Any] | None = None
    calibration_error: float | None = None
    per_class: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_subject: tuple[dict[str, Any], ...] = ()
    matrix: tuple[tuple[int, ...], ...] = ()


def _settle(project: Project, settings: EvalSettings, run: str = "") -> tuple[EvalSettings, tuple[Run]]:
    found = evaluated_run(project, run)
    return dataclasses.replace(settings, checkpoint=own_checkpoint(found, settings.checkpoint)), (found,)


def evaluated_run(project: Project, text: str) -> Run:
    """The run of this project, or the baseline, that `text` names."""
    return find_model(project.root, text) if text == BASELINE else find_own_run(project.root, text)


def variant_of(settings: EvalSettings) -> str:
    """What tells an evaluation from that of the best weights without test-time augmentation; empty for that one."""
    test_time = "" if settings.test_time == "none" else settings.test_time
    crops = OTHER_CROPS if settings.accept_other_crops else ""
    return "-".join(filter(None, (checkpoint_word(settings.checkpoint), test_time, crops)))


def folder_of(run: Run, settings: EvalSettings) -> Path:
    """Where an evaluation writes: each variant has a folder of its own, so that none takes the place of another."""
    return eval_folder(run, settings.split, variant_of(settings))


def calibration_file(run: Run, variant: str, ending: str) -> Path:
    """Where the temperature of a run's weights (json) and the predictions that it was fitted on (csv) lie."""
    return (run.home or run.folder) / f"calibration{'-' if variant else ''}{variant}.{ending}"


def _name(_: Project, settings: EvalSettings, run: Run) -> str:
    variant = variant_of(settings)
    return f"eval-{run.run_id}-{settings.split}{'-' if variant else ''}{variant}"


def _inputs(project: Project, settings: EvalSettings, run: Run) -> Inputs:
    tables = [project.table_path(Label), project.table_path(Vote), project.split_path("official").with_suffix(".json")]
    mark, unmatched = predictions_mark(project, run, settings), unmatched_in_run(project, run)
    # metrics.json says how far people are known; the predictions do not depend on it.
    return Inputs(tables, [mark, _CONTENTS, *unmatched])


def _older_inputs(project: Project, settings: EvalSettings, run: Run) -> Inputs | None:
    """Of versions that fitted no temperature: their scores stand, but they have nothing to show of that."""
    if settings.calibration:
        return None
    return dataclasses.replace(_inputs(project, settings, run), extra=predictions_mark(project, run, settings))


def predictions_mark(project: Project, run: Run, settings: EvalSettings) -> str:
    """What predictions.csv depends on; with another seed or normalisation it is taken as it is."""
    named = settings.checkpoint in ("best", "last")
    weights = run.folder / "checkpoints" / f"{settings.checkpoint}.json" if named else Path(settings.checkpoint)
    own = [run.folder / name for name in ("split.csv", "labels.csv")]
    if run.home is not None:
        own = [project.split_path(usual_split(project)), project.table_path(Label)]
    if settings.accept_other_crops:
        own.append(run.folder / "crops.csv")
    choices = dataclasses.replace(EvalSettings(), split=settings.split, checkpoint=settings.checkpoint)
    choices = dataclasses.replace(choices, test_time=settings.test_time, device=settings.device)
    return fingerprint(choices, [weights, *own, project.table_path(Face)], run.run_id)


def _as_known_now(project: Project, settings: EvalSettings, result: EvalResult, run: Run) -> EvalResult:
    """Scores, new or of an earlier call, that say first what makes them doubtful: a baseline, people in two sets."""
    first = baseline_doubt(result.split, result.accuracy, result.majority_class)
    part = "" if settings.split == "test" else f" --split {settings.split}"
    following = f"fer gradcam{run_words(run.folder)}{part}" if run.home is None else ""
    result = dataclasses.replace(result, next_command=following)
    return with_doubt(result, unmatched_in_run(project, run), sets_of(result.split), first)


def sets_of(part: str) -> str:
    """The sets that a person may be in when scores are those of `part`."""
    return "training and the validation set" if part == "val" else "training and the test set"


evaluate = Stage(
    words="eval",
    settings=EvalSettings,
    result=EvalResult,
    work="fercli.stages.evaluate.work",
    planning="fercli.stages.evaluate.plan",
    inputs=_inputs,
    older=_older_inputs,
    # What is only shown makes no difference to what is computed and written.
    not_identity=("confusion", "by", "calibration"),
    arguments=(Argument("run", str, "Evaluate this run, or baseline (default: the latest).", "[RUN]", default=""),),
    settle=_settle,
    name=_name,
    is_long=True,
    now=_as_known_now,
)
