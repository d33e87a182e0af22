"""The result of `fer eval` as tables: scores with intervals, and what --confusion, --by and --calibration ask for."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fercli.cli.show.certainty import show_certainty
from fercli.core.groups import SUBJECT
from fercli.stages.evaluate import EvalResult, EvalSettings

_MEASURES = (("accuracy", "accuracy"), ("balanced_accuracy", "balanced accuracy"), ("macro_f1", "macro-F1"))
_SHORT = 5


def show_scores(result: EvalResult, settings: EvalSettings, _: Any) -> bool:
    """Print the tables; warnings and paths come after them, as for every command."""
    if result.is_dry_run:
        return False
    console = Console(highlight=False)
    variant = f", {result.variant}" if result.variant and result.variant != result.checkpoint else ""
    same = " (up to date)" if result.is_unchanged else ""
    console.print(
        f"[green]✓[/green] {result.run} ({result.checkpoint}{variant}) on {result.num_faces:,} {result.split} "
        f"faces{same}",
        soft_wrap=True,
    )
    console.print(_score_table(result))
    if settings.confusion:
        console.print("rows: true class, columns: predicted class", style="dim", soft_wrap=True)
        console.print(_confusion_table(result, settings.normalize, console.width))
    if settings.by and SUBJECT in settings.by:
        console.print(
            _subject_table(result) if result.by_subject else "subjects of these faces are not assigned: fer subjects"
        )
    if settings.calibration and result.doubt:
        show_certainty(console, result.doubt, result.people)
    return True


def _score_table(result: EvalResult) -> Table:
    unit = str(result.accuracy.get("unit", ""))
    table = Table("measure", "value", f"95% CI (bootstrap over {unit}s)", box=None, padding=(0, 2), header_style="dim")
    for name, words in _MEASURES:
        table.add_row(words, *_cells(getattr(result, name)))
    majority = result.majority_class
    table.add_row(f"majority-class baseline ('{majority['emotion']}')", f"{majority['value']:.2%}", "")
    if result.human_ceiling:
        table.add_row("human ceiling", *_cells(result.human_ceiling))
    if result.without_duplicates:
        table.add_row("accuracy without duplicates", *_cells(result.without_duplicates["accuracy"]))
    return table


def _cells(entry: Mapping[str, Any]) -> tuple[str, str]:  # JSON values
    has_interval = entry.get("low") is not None
    return f"{entry['value']:.2%}", f"{entry['low']:.2%} to {entry['high']:.2%}" if has_interval else "none"


def _confusion_table(result: EvalResult, normalize: str, width: int) -> Table:
    table = Table(header_style="dim", box=None, padding=(0, 1))
    table.add_column("", no_wrap=True)
    # On a narrow screen a column that is cut tells less than a name that is.
    needed = max(map(len, result.classes)) + sum(max(len(name), 4) + 2 for name in result.classes) + 12
    letters = _SHORT if needed > width else None
    for emotion in result.classes:
        table.add_column(Text(emotion[:letters]), justify="right", no_wrap=True)
    table.add_column("recall", justify="right")
    columns = [sum(column) for column in zip(*result.matrix, strict=True)]
    for place, (emotion, counts) in enumerate(zip(result.classes, result.matrix, strict=True)):
        totals = columns if normalize == "pred" else [sum(counts)] * len(counts)
        cells = [
            Text(_cell(count, total, normalize), style="bold" if place == other else "")
            for other, (count, total) in enumerate(zip(counts, totals, strict=True))
        ]
        recall = result.per_class[emotion]["recall"]
        table.add_row(Text(emotion), *cells, "-" if recall is None else f"{recall:.1%}")
    return table


def _cell(count: int, total: int, normalize: str) -> str:
    if normalize == "none":
        return str(count)
    return f"{count / total:.0%}" if total else "-"


def _subject_table(result: EvalResult) -> Table:
    table = Table("subject", "faces", "accuracy", "balanced accuracy", box=None, padding=(0, 2), header_style="dim")
    for row in result.by_subject:
        table.add_row(
            row["name"] or "unknown",
            str(row["num_faces"]),
            f"{row['accuracy']:.1%}",
            f"{row['balanced_accuracy']:.1%}",
        )
    return table
