"""`fer train --fold all` and `--seeds`: one training after the other, and what they have in common."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from fercli.core.errors import InputError, UsageError
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.splits import choose_split
from fercli.stages.train import TrainResult, TrainSettings, train

Train = Callable[[TrainSettings], TrainResult]


@dataclass(frozen=True, kw_only=True)
class TrainSeriesResult(StageResult):
    """The runs of a series, in their order.

    Attributes:
        runs: of each its name, fold, seed, status and best validation accuracy.
        num_done_before: of them, those that were finished before.
        val_accuracy: mean and standard deviation (over n - 1) of the runs' validation accuracies.
    """

    num_runs: int = 0
    num_done_before: int = 0
    runs: tuple[dict[str, Any], ...] = ()
    val_accuracy: dict[str, float | None] | None = None


def is_series(settings: TrainSettings) -> bool:
    """Whether these settings ask for several runs."""
    return settings.fold == "all" or bool(settings.seeds)


def train_series(
    project: Project,
    settings: TrainSettings,
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
) -> TrainSeriesResult:
    """Train on each fold, with each seed, what is not finished yet; see `fercli.train`.

    Raises:
        InputError: the split has no folds.
        UsageError: a seed is named twice.
    """

    def once(one: TrainSettings) -> TrainResult:
        return train(project, one, progress=progress, force=force, dry_run=dry_run)

    return train_each(project, settings, once)


def train_each(project: Project, settings: TrainSettings, once: Train) -> TrainSeriesResult:
    """The same by whatever trains once, as several processes do."""
    done: list[tuple[TrainSettings, TrainResult]] = []
    for one in series_of(project, settings):
        result = once(one)
        done.append((one, result))
        if result.failures and result.status != "finished":
            break  # stopped by the clock: the same command goes on
    return _result(done)


def series_of(project: Project, settings: TrainSettings) -> Iterator[TrainSettings]:
    """The settings of each run: seed after seed, and with each seed fold after fold."""
    if len(set(settings.seeds)) < len(settings.seeds):
        raise UsageError("a seed is named twice in --seeds", hint="Name each seed once.")
    folds: list[int | None] = [settings.fold] if settings.fold != "all" else list(folds_of(project, settings.split))
    for seed in settings.seeds or (settings.seed,):
        for fold in folds:
            yield replace(settings, fold=fold, seed=seed, seeds=())


def folds_of(project: Project, split: str) -> list[int]:
    """The numbers of a split's folds.

    Raises:
        InputError: it has none.
    """
    name = choose_split(project, split)
    folds = sorted({row.fold for row in project.split_rows(name) if row.fold is not None})
    if not folds:
        raise InputError(f"split '{name}' has no folds", hint="Make some: fer split --kfold 5")
    return folds


def mean_and_spread(values: list[float]) -> dict[str, float | None]:
    """Mean and standard deviation, over n - 1; of one value there is no spread."""
    spread = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "std": spread, "num": len(values)}


def _result(done: list[tuple[TrainSettings, TrainResult]]) -> TrainSeriesResult:
    results = [result for _, result in done]
    values = [result.val_accuracy for result in results if result.val_accuracy is not None]
    is_folded = any(one.fold is not None for one, _ in done)
    last = results[-1]
    rows = [
        {
            "run": result.run,
            "fold": one.fold,
            "seed": one.seed,
            "status": result.status,
            "val_accuracy": result.val_accuracy,
        }
        for one, result in done
    ]
    return TrainSeriesResult(
        num_runs=len(results),
        num_done_before=sum(result.is_unchanged for result in results),
        runs=tuple(rows),
        val_accuracy=mean_and_spread(values) if values else None,
        outputs=tuple(f"runs/{result.run}" for result in results if result.run),
        warnings=tuple(dict.fromkeys(text for result in results for text in result.warnings)),
        failures=tuple(failure for result in results for failure in result.failures),
        is_unchanged=all(result.is_unchanged for result in results),
        is_dry_run=last.is_dry_run,
        plan=tuple(
            f"{line} (fold {one.fold}, seed {one.seed})" if is_folded else f"{line} (seed {one.seed})"
            for one, result in done
            for line in result.plan
        ),
        next_command=f"fer eval {'--folds' if is_folded else '--seeds'}",
    )
