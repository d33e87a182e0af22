"""Labels and agreement as tables on the screen."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fercli.stages.labels.importing import LabelsImportResult
from fercli.stages.labels.show import LabelsShowResult
from fercli.stages.labels.vote import LabelCounts

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def show_labels(result: LabelsShowResult) -> None:
    """Print where the labels stand: faces, classes, what became of the votes, agreement."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{result.num_labelled} of {result.num_usable_faces} faces have a label; "
        f"{result.num_votes} votes by {len(result.annotators)} annotators from {result.num_imports} imports"
    )
    _show_counts(console, result, f", without votes {result.num_without_votes}", kappas=result.kappa_by_class)
    if result.krippendorff is not None:
        console.print(
            f"Krippendorff's alpha {result.krippendorff:.3f}, pairwise agreement {_percent(result.percent)}, "
            f"human ceiling {_percent(result.ceiling)}"
        )


def show_import(result: LabelsImportResult) -> None:
    """Print how each file was read, what came in, and the labels that it gave."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for name, how in result.formats.items():
        form, _, reason = how.partition(": ")
        console.print(Text(f"{name}: read as {form}, because {reason}"))
    counts = {
        "votes": result.num_votes,
        "new": result.num_new,
        "changed": result.num_changed,
        "overwritten": result.num_overwritten,
        "skipped": result.num_skipped,
        "unmatched": result.num_unmatched,
        "in conflict": result.num_conflicts,
        "gold": result.num_gold,
    }
    parts = [f"{number} {word}" for word, number in counts.items() if number or word == "votes"]
    console.print(f"{', '.join(parts)}, by {len(result.annotators)} annotators")
    for annotator, share in result.self_agreement.items():
        console.print(f"{annotator} gave the same label to {_percent(share)} of the faces shown twice")
    _show_counts(console, result, "")


def _show_counts(
    console: "Console", result: LabelCounts, more: str, *, kappas: Mapping[str, float | None] | None = None
) -> None:
    if result.rule:
        console.print(f"[dim]rule:[/dim] {result.rule}")
    console.print(_classes_table(result, kappas or {}))
    words = {"no_majority": "no majority", "too_few": "too few votes", "ok": "labelled"}
    parts = [f"{words.get(name, name)} {count}" for name, count in result.by_status.items()]
    console.print(f"faces: {', '.join(parts) or 'none with votes'}{more}")


def _classes_table(result: LabelCounts, kappas: Mapping[str, float | None]) -> "Table":
    from rich.table import Table

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
    return "-" if share is None else f"{100 * share:.1f} %"
