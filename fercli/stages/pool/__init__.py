"""`fer eval --folds`, `--seeds` and `--ensemble`: evaluate several runs together, and how much they vary."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fercli.core.errors import MissingStageError, UsageError
from fercli.core.people import unmatched_in_runs, with_doubt
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label, Vote
from fercli.core.runs import Run, digest, end_order, find_own_run, list_runs
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.evaluate import EvalSettings, predictions_mark, sets_of, variant_of
from fercli.stages.train.series import folds_of
from fercli.stages.train.settings import TrainSettings, identity, read_settings

Pooling = Literal["folds", "seeds", "ensemble"]


@dataclass(frozen=True, kw_only=True)
class PoolResult(StageResult):
    """Several runs as one.

    Attributes:
        kind: "folds" pools the predictions of each face by the run that has not seen it, "ensemble" averages
            probabilities, "seeds" only tells how far equal trainings differ.
        members: of each run its fold, seed and scores.
        spread: of each score mean and standard deviation (over n - 1) over the members.
        accuracy: of the pooled predictions, with its interval; so the two below; empty for seeds.
    """

    kind: str
    split: str
    num_faces: int = 0
    unit: str = ""
    members: tuple[dict[str, Any], ...] = ()
    spread: dict[str, dict[str, Any]] = field(default_factory=dict)
    accuracy: dict[str, Any] = field(default_factory=dict)
    balanced_accuracy: dict[str, Any] = field(default_factory=dict)
    macro_f1: dict[str, Any] = field(default_factory=dict)


def members_of(project: Project, kind: Pooling, runs: Sequence[str]) -> tuple[Run, ...]:
    """The runs that are pooled: those named, or the fold or seed siblings of the one named (default: the latest).

    Raises:
        MissingStageError: a fold has no finished run, or no run differs by its seed alone.
        UsageError: an ensemble of fewer than two runs.
    """
    if kind == "ensemble":
        named = {run.run_id: run for run in (find_own_run(project.root, name) for name in runs)}
        if len(named) < 2:
            raise UsageError("an ensemble needs at least two runs", hint="fer eval --ensemble RUN RUN")
        return tuple(named.values())
    if len(runs) > 1:
        raise UsageError(f"--{kind} finds the other runs by itself", hint=f"Name one of them: fer eval RUN --{kind}")
    chosen = find_own_run(project.root, runs[0] if runs else "")
    alike = _siblings(project, chosen, "fold" if kind == "folds" else "seed")
    if kind == "folds":
        return _all_folds(project, chosen, alike)
    if len(alike) < 2:
        raise MissingStageError(
            f"no finished run differs from '{chosen.run_id}' by its seed alone",
            hint="Train with several: fer train --seeds 0,1,2, with the settings of that run.",
        )
    return tuple(alike[seed] for seed in sorted(alike))


def _siblings(project: Project, chosen: Run, name: Literal["fold", "seed"]) -> dict[int, Run]:
    """The latest finished run for each fold, or seed, of the same settings and data."""
    wanted = _alike_mark(chosen, name)
    found: dict[int, Run] = {}
    for run in sorted(list_runs(project.root), key=end_order):
        settings = _settings(run)
        value = getattr(settings, name) if settings else None
        if run.status == "finished" and isinstance(value, int) and _alike_mark(run, name) == wanted:
            found[value] = run
    return found


def _alike_mark(run: Run, name: Literal["fold", "seed"]) -> str:
    settings = _settings(run)
    if settings is None:
        return ""
    # A run's own name says nothing of how it was trained.
    settings = dataclasses.replace(settings, name="")
    alike = dataclasses.replace(settings, fold=None) if name == "fold" else dataclasses.replace(settings, seed=0)
    plain = identity(alike)
    return digest([plain, {key: value for key, value in run.record.inputs.items() if key != "settings"}])


def _settings(run: Run) -> TrainSettings | None:
    try:
        return read_settings((run.folder / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _all_folds(project: Project, chosen: Run, alike: dict[int, Run]) -> tuple[Run, ...]:
    settings = _settings(chosen)
    if settings is None or settings.fold is None:
        raise UsageError(
            f"run '{chosen.run_id}' was not trained on a fold", hint="Name one that was: fer train --fold all"
        )
    folds = folds_of(project, settings.split)
    if missing := [fold for fold in folds if fold not in alike]:
        raise MissingStageError(
            f"no finished run like '{chosen.run_id}' on folds {', '.join(map(str, missing))} of split "
            f"'{settings.split}'",
            hint="Train what is missing with the settings of that run: fer train --fold all",
        )
    return tuple(alike[fold] for fold in folds)


def fold_and_seed(run: Run) -> tuple[int | None, int | None]:
    """The fold and the seed of a run, where its config.toml can be read."""
    settings = _settings(run)
    return (settings.fold if isinstance(settings.fold, int) else None, settings.seed) if settings else (None, None)


def pool_folder(project: Project, settings: EvalSettings, kind: Pooling, runs: tuple[Run, ...]) -> Path:
    """Where the evaluation of several runs lies."""
    mark = digest([settings.split, variant_of(settings), *(run.run_id for run in runs)])[:6]
    return project.root / "reports" / "pooled" / f"{kind}-{runs[0].record.model.replace(':', '-')}-{mark}"


def _settle(
    project: Project, settings: EvalSettings, kind: Pooling, runs: Sequence[str] = ()
) -> tuple[EvalSettings, tuple[Pooling, tuple[Run, ...]]]:
    if settings.checkpoint not in ("best", "last"):
        raise UsageError("several runs are evaluated by their own weights", hint="Use --checkpoint best or last.")
    return settings, (kind, members_of(project, kind, runs))


def _inputs(project: Project, settings: EvalSettings, kind: Pooling, runs: tuple[Run, ...]) -> Inputs:
    tables = [project.table_path(table) for table in (Face, Label, Vote)]
    return Inputs(tables, [kind, *(predictions_mark(project, run, settings) for run in runs)])


pool: Stage[PoolResult] = Stage(
    words="eval",
    settings=EvalSettings,
    result=PoolResult,
    work="fercli.stages.pool.work",
    inputs=_inputs,
    not_identity=("confusion", "by", "calibration"),
    arguments=(
        Argument("kind", str, "Pool folds, seeds or an ensemble."),
        Argument("runs", list[str], "Pool these runs.", "[RUN]...", default=()),
    ),
    settle=_settle,
    name=lambda project, settings, kind, runs: f"eval-pooled-{pool_folder(project, settings, kind, runs).name}",
    is_long=True,
    now=lambda project, settings, result, kind, runs: with_doubt(
        result, unmatched_in_runs(project, runs), sets_of(settings.split)
    ),
)
