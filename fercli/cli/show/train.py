"""Show trainings on the terminal: what was trained, how well it does on validation faces, and how it ended."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fercli.core.words import counted
from fercli.stages.train.result import TrainResult
from fercli.stages.train.series import TrainSeriesResult

_UP_TO_DATE = "nothing to do, inputs and settings are those of the last run"


def show_training(result: TrainResult, *_: Any) -> bool:
    """Print one run: how it ended, its best epoch, and the faces it saw."""
    if result.is_dry_run:
        return False
    console = Console(highlight=False, soft_wrap=True)
    done = f"train: {_UP_TO_DATE}" if result.is_unchanged else "trained"
    console.print(Text.assemble(("✓", "green"), f" {done}: {result.run} ({result.status}, {result.stopped_because})"))
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
    if result.val_accuracy is None:
        table.add_row("epochs", f"{result.epochs:,}, the last one is kept")
    else:
        best = f"accuracy {result.val_accuracy:.1%}, macro-F1 {_share(result.val_macro_f1)}"
        table.add_row("epochs", f"{result.epochs:,}, best: {result.best_epoch:,}")
        table.add_row("validation", f"{best} on {counted(result.num_val, 'face')}")
    left_out = ", ".join(
        f"{number:,} {reason.removeprefix('label: ').replace('_', ' ')}" for reason, number in result.left_out.items()
    )
    table.add_row("trained on", counted(result.num_train, "face") + f" (left out: {left_out})" * bool(left_out))
    table.add_row("time", f"{result.seconds:,.1f} s, {result.images_per_s:,.0f} images/s, {result.precision}")
    console.print(table)
    return True


def show_series(result: TrainSeriesResult, *_: Any) -> bool:
    """Print one line for each run of a series, mean and spread."""
    if result.is_dry_run:
        return False
    console = Console(highlight=False, soft_wrap=True)
    before = f", {result.num_done_before:,} of them before" * (0 < result.num_done_before < result.num_runs)
    done = f"train: {_UP_TO_DATE}" if result.is_unchanged else f"{counted(result.num_runs, 'run')} trained{before}"
    console.print(Text.assemble(("✓", "green"), f" {done}"))
    table = Table(box=None, padding=(0, 2, 0, 2), header_style="dim")
    for name in ("run", "status", "fold", "seed", "val accuracy"):
        table.add_column(name, justify="left" if name in ("run", "status") else "right")
    for run in result.runs:
        fold = "-" if run["fold"] is None else str(run["fold"])
        table.add_row(run["run"], run["status"], fold, str(run["seed"]), _share(run["val_accuracy"]))
    if spread := result.val_accuracy:
        deviation = f" ± {spread['std']:.1%}" if spread["std"] is not None else ""
        table.add_row("mean ± SD", "", "", "", f"{_share(spread['mean'])}{deviation}", style="bold")
    console.print(table)
    return True


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
