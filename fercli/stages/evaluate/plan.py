"""Plan `fer eval`: find the predictions of an earlier call that still hold, without loading torch."""

from contextlib import suppress
from dataclasses import dataclass

from fercli.core.errors import InputError, MissingStageError
from fercli.core.memory import read_state
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Label, Prediction
from fercli.core.runs import Run
from fercli.core.stage import Plan
from fercli.core.tables import read_table
from fercli.data.samples import run_samples
from fercli.stages.evaluate import EvalSettings, evaluate, folder_of, predictions_mark, variant_of


@dataclass(frozen=True, kw_only=True)
class EvalPlan(Plan):
    """The run, what its predictions depend on, and those that an earlier call has written for just that."""

    run: Run
    mark: str
    reads: dict[str, str]
    predictions: list[Prediction] | None
    is_forced: bool = False


def plan(project: Project, settings: EvalSettings, run: Run, *, force: bool, progress: Progress) -> EvalPlan:
    """See which predictions are there.

    Raises:
        MissingStageError: the run has no face in this set.
        InputError: the baseline is evaluated, and does not predict a class of the labels.
    """
    if run.home is not None:
        _check_classes(project, run)
    mark = predictions_mark(project, run, settings)
    reads = project.digests(run_samples(project, run, settings.split).paths, "faces.csv")
    # The temperature is fitted on the validation faces.
    with suppress(MissingStageError):
        reads |= project.digests(run_samples(project, run, "val").paths, "faces.csv")
    return EvalPlan(
        lines=(f"evaluate run {run.run_id} ({settings.checkpoint}) on the {settings.split} faces",),
        counts={
            "run": run.run_id,
            "split": settings.split,
            "checkpoint": settings.checkpoint,
            "variant": variant_of(settings),
        },
        run=run,
        mark=mark,
        reads=reads,
        is_forced=force,
        predictions=None if force else _known_predictions(project, run, settings, mark=mark, reads=reads),
    )


def _check_classes(project: Project, run: Run) -> None:
    """Refuse labels that the baseline cannot predict.

    Raises:
        InputError: with the classes that it lacks.
    """
    used = {label.label for label in project.rows(Label) if label.label}
    if strange := [name for name in project.classes if name in used and name not in run.record.classes]:
        raise InputError(
            f"the baseline does not predict {', '.join(strange)}, and faces of this project are labelled so",
            hint=f"It predicts {', '.join(run.record.classes)}; train a model of this project's classes: fer train",
        )


def _known_predictions(
    project: Project, run: Run, settings: EvalSettings, *, mark: str, reads: dict[str, str]
) -> list[Prediction] | None:
    """The predictions that an earlier call has written, when nothing that they depend on has changed."""
    before = read_state(project.root, evaluate.name_of(project, settings, run))
    path = folder_of(run, settings) / "predictions.csv"
    is_known = before is not None and before.items.get("predictions") == mark and path.exists()
    is_known = is_known and before is not None and before.reads in (reads, {})
    return read_table(path, Prediction) if is_known else None
