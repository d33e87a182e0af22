"""`fer compare`: compare evaluated runs: scores, costs and differences in one table, with figures for a paper."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fercli.core.errors import InputError, UsageError
from fercli.core.files import slug
from fercli.core.people import unmatched_in_runs, with_doubt
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face
from fercli.core.runs import OTHER_CROPS, Run, digest, end_order, eval_folder, find_own_run, list_runs
from fercli.core.settings import setting, suggestion
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.evaluate import sets_of

# A folder's name holds so many letters of the names of models.
_MOST_LETTERS = 48


@dataclass(frozen=True)
class CompareSettings:
    """What is compared, and with what."""

    model: tuple[str, ...] = setting((), "Compare the latest finished run of each of these models.")
    against: str = setting("", "Test differences to this run (default: the first).")
    split: Literal["train", "val", "test"] = setting("test", "Compare on this set.")
    common: bool = setting(False, "Compare on the faces that all runs have in common.")
    paper: bool = setting(False, "Add what the SFER-MDFAE paper reports of the models.")
    normalize: Literal["true", "pred", "none"] = setting(
        "true", "Normalise confusion matrices by true or predicted class."
    )
    name: str = setting("", "Name the comparison (default: after its models).")
    seed: int = setting(0, "Set the random seed of bootstrap and tests.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class CompareResult(StageResult):
    """The runs side by side.

    Attributes:
        against: the run to which differences are tested.
        unit: what is resampled and exchanged: subject, video or face.
        runs: of each run its model, scores with intervals, F1 of each class, counts and times.
        differences: of each other run and each score: value, interval, p and p corrected by Holm's method.
        num_left_out: faces that not all runs have, or whose labels differ between them (`common`).
        reported: of each model, what the paper reports of it, where it is asked for.
    """

    against: str
    split: str
    num_faces: int = 0
    unit: str = ""
    num_units: int = 0
    classes: tuple[str, ...] = ()
    runs: tuple[dict[str, Any], ...] = ()
    differences: tuple[dict[str, Any], ...] = ()
    num_left_out: int = 0
    reported: tuple[dict[str, Any], ...] = field(default_factory=tuple)


def _settle(
    project: Project, settings: CompareSettings, runs: Sequence[str] = ()
) -> tuple[CompareSettings, tuple[tuple[Run, ...]]]:
    """The runs that are meant, the one to which differences are tested first.

    Raises:
        UsageError: fewer than two runs are named.
        InputError: no such run, or no finished run of a model.
    """
    found = [find_own_run(project.root, name) for name in runs]
    found += [_latest(project, model) for model in settings.model]
    first = [find_own_run(project.root, settings.against)] if settings.against else []
    wanted = {run.run_id: run for run in [*first, *found]}
    if len(wanted) < 2:
        raise UsageError(
            f"a comparison needs at least two runs, and {'one is' if wanted else 'none is'} named",
            hint="Name runs (fer compare RUN RUN), or models (--model drf-msam,eac). `fer runs` lists the runs.",
        )
    return settings, (tuple(wanted.values()),)


def _latest(project: Project, model: str) -> Run:
    finished = [run for run in list_runs(project.root) if run.status == "finished" and not run.is_aside]
    alike = [run for run in finished if run.record.model == model]
    if not alike:
        known = sorted({run.record.model for run in finished})
        hint = suggestion(model, known) if known else "Run: fer train"
        raise InputError(f"no finished run of model '{model}'", hint=hint)
    return max(alike, key=end_order)


def _inputs(project: Project, settings: CompareSettings, runs: tuple[Run, ...]) -> Inputs:
    names = ("predictions.csv", "metrics.json")
    files = [eval_folder(run, settings.split) / name for run in runs for name in names]
    files += [eval_folder(run, settings.split, OTHER_CROPS) / "metrics.json" for run in runs]
    files += [run.folder / name for run in runs for name in ("run.json", "metrics.csv", "config.toml", "crops.csv")]
    return Inputs([*files, project.table_path(Face)], [run.run_id for run in runs])


def compare_folder(project: Project, settings: CompareSettings, runs: tuple[Run, ...]) -> Path:
    """Where a comparison lies: named as asked, else after its models and, in short, its runs."""
    models = "-".join(dict.fromkeys(slug(run.record.model) for run in runs))[:_MOST_LETTERS].strip("-")
    mark = digest([settings.split, *(run.run_id for run in runs)])[:6]
    return project.root / "reports" / "compare" / (slug(settings.name) if settings.name else f"{models}-{mark}")


compare = Stage(
    words="compare",
    settings=CompareSettings,
    result=CompareResult,
    work="fercli.stages.compare.work",
    inputs=_inputs,
    arguments=(Argument("runs", list[str], "Compare these runs, the first with each other.", "[RUN]...", default=()),),
    settle=_settle,
    name=lambda project, settings, runs: f"compare-{compare_folder(project, settings, runs).name}",
    now=lambda project, settings, result, runs: with_doubt(
        result, unmatched_in_runs(project, runs), sets_of(settings.split)
    ),
    told=lambda project, settings, runs: [run.run_id for run in runs],
    is_long=True,
)
