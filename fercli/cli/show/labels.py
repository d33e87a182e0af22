"""Labels and agreement as tables on the screen."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fercli.core.words import counted
from fercli.stages.labels.importing import LabelsImportResult
from fercli.stages.labels.show import LabelsShowResult
from fercli.stages.labels.vote import LabelCounts, LabelsVoteResult


def show_labels(result: LabelsShowResult, *_: Any) -> bool:
    """Print where the labels stand: faces, classes, what became of the votes, agreement."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{result.num_labelled:,} of {counted(result.num_usable_faces, 'face has', 'faces have')} a label; "
        f"{counted(result.num_votes, 'vote')} by {counted(len(result.annotators), 'annotator')} "
        f"from {counted(result.num_imports, 'import')}"
    )
    _show_counts(console, result, f", {result.num_without_votes:,} without votes", kappas=result.kappa_by_class)
    if result.krippendorff is not None:
        console.print(
            f"Krippendorff's alpha {result.krippendorff:.3f}, pairwise agreement {_percent(result.percent)}, "
            f"human ceiling {_percent(result.ceiling)}"
        )
    return True


def show_import(result: LabelsImportResult, *settings_and_project: Any) -> bool:
    """Print how each file was read, what came in, and the labels that it gave."""
    if result.is_dry_run:
        return False
    console = Console(highlight=False, soft_wrap=True)
    if result.is_unchanged:
        console.print("[green]✓[/green] labels import: nothing to do, these files were imported before")
        for name, number in result.imports.items():
            console.print(Text(f"  {name} is {number}"))
        _show_counts(console, result, "")
        return True
    for name, how in result.formats.items():
        form, _, reason = how.partition(": ")
        console.print(Text(f"{name}: read as {form}, because {reason}"))
    counts = {
        "new": result.num_new,
        "changed": result.num_changed,
        "overwritten": result.num_overwritten,
        "skipped": result.num_skipped,
        "unmatched": result.num_unmatched,
        "in conflict": result.num_conflicts,
        "final (adjudicated)": result.num_gold,
    }
    parts = [counted(result.num_votes, "vote"), *(f"{number:,} {word}" for word, number in counts.items() if number)]
    console.print(f"{', '.join(parts)}, by {counted(len(result.annotators), 'annotator')}")
    for annotator, share in result.self_agreement.items():
        console.print(f"{annotator} gave the same label to {_percent(share)} of the faces shown twice")
    _show_counts(console, result, "")
    return True


def show_vote(result: LabelsVoteResult, *_: Any) -> bool:
    """Print the labels that the votes gave."""
    if result.is_dry_run:
        return False
    console = Console(highlight=False, soft_wrap=True)
    same = " (up to date)" if result.is_unchanged else f", {counted(result.num_changed, 'label')} changed"
    console.print(f"[green]✓[/green] {result.num_labelled:,} of {counted(result.num_faces, 'face')} labelled{same}")
    _show_counts(console, result, "")
    return True


def _show_counts(
    console: Console, result: LabelCounts, more: str, *, kappas: Mapping[str, float | None] | None = None
) -> None:
    if result.rule:
        console.print(f"[dim]rule:[/dim] {result.rule}")
    console.print(_classes_table(result, kappas or {}))
    words = {
        "no_majority": "without majority",
        "too_few": "with too few votes",
        "ok": "labelled",
        "tie": "tied",
        "given": "provided",
    }
    parts = [f"{count:,} {words.get(name, name)}" for name, count in result.by_status.items()]
    console.print(f"faces: {', '.join(parts) or 'none with votes'}{more}")


def _classes_table(result: LabelCounts, kappas: Mapping[str, float | None]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("class")
    for title in ("faces", "share", "outvoted", *(["Fleiss' kappa"] if kappas else [])):
        table.add_column(title, justify="right")
    for name, count in result.classes.items():
        share = count / result.num_labelled if result.num_labelled else None
        kappa = kappas.get(name)
        told = ["-" if kappa is None else f"{kappa:.3f}"] if kappas else []
        table.add_row(name, str(count), _percent(share), str(result.outvoted.get(name, 0)), *told)
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
