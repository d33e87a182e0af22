"""Several runs pooled: their scores one by one, mean and spread, and the scores of all together."""

from typing import Any

from rich.console import Console
from rich.table import Table

from fercli.core.words import counted
from fercli.stages.pool import PoolResult

_MEASURES = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro-F1"}


def show_pool(result: PoolResult, *_: Any) -> bool:
    """Print one line for each run, mean and spread, and what is pooled, with its interval."""
    if result.is_dry_run:
        return False
    console = Console(highlight=False)
    same = " (up to date)" if result.is_unchanged else ""
    console.print(
        f"[green]✓[/green] {counted(len(result.members), 'run')} ({result.kind}), {result.split} set{same}",
        soft_wrap=True,
    )
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for place, name in enumerate(("run", "fold", "seed", "faces", *_MEASURES.values())):
        table.add_column(name, justify="left" if place == 0 else "right", overflow="fold")
    for one in result.members:
        numbers = ("-" if one[name] is None else str(one[name]) for name in ("fold", "seed"))
        table.add_row(one["run"], *numbers, f"{one['num_faces']:,}", *(f"{one[name]:.2%}" for name in _MEASURES))
    spreads = (result.spread[name] for name in _MEASURES)
    cells = [f"{one['mean']:.2%}" + ("" if one["std"] is None else f" ± {one['std']:.2%}") for one in spreads]
    table.add_row("mean ± SD", "", "", "", *cells, style="bold")
    if result.accuracy:
        pooled = (getattr(result, name) for name in _MEASURES)
        words = "pooled" if result.kind == "folds" else "averaged"
        table.add_row(words, "", "", f"{result.num_faces:,}", *map(_with_interval, pooled), style="bold")
    console.print(table)
    if result.accuracy and result.accuracy["low"] is not None:
        console.print(f"95% CI in brackets: bootstrap over {result.unit}s", style="dim")
    return True


def _with_interval(entry: dict[str, Any]) -> str:  # JSON values
    if entry["low"] is None:
        return f"{entry['value']:.2%}"
    # A bracket at the start of a word would be markup of rich.
    return rf"{entry['value']:.2%} \[{entry['low']:.2%}, {entry['high']:.2%}]"
