"""What checks found, as lines on the screen."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fercli.stages.check.all import CheckAllResult
from fercli.stages.check.leakage import CheckLeakageResult

if TYPE_CHECKING:
    from rich.console import Console

Counts = Mapping[str, Any]  # the fields of a check's result


def show_leakage(result: CheckLeakageResult) -> None:
    """Print what the split has on two sides, and the first copies."""
    from dataclasses import asdict

    _leakage(_console(), asdict(result))


def show_all(result: CheckAllResult) -> None:
    """Print the counts of every check."""
    console = _console()
    images, labels = result.images, result.labels
    console.print(
        f"images: {images['num_faces']} faces, {images['num_missing']} crops missing, {images['num_unreadable']} "
        f"unreadable, {images['num_blank']} blank, {images['num_identical_groups']} groups of identical ones"
    )
    if labels:
        console.print(
            f"labels: {labels['num_labels']} labels, {labels['num_votes']} votes, {labels['num_outdated']} outdated, "
            f"{labels['num_without_face']} without face"
        )
    for counts in result.leakage.values():
        _leakage(console, counts)


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def _leakage(console: "Console", counts: Counts) -> None:
    published = ", published" if counts["is_published"] else ""
    console.print(f"split '{counts['split']}'{published}: {counts['num_faces']} faces; on two sides are")
    console.print(f"  {counts['subjects_across_splits']} subjects, {counts['videos_across_splits']} videos")
    parts = ", ".join(f"{parts} {number}" for parts, number in counts["identical_by_parts"].items())
    console.print(f"  {counts['identical_across_splits']} identical pictures{f' ({parts})' if parts else ''}")
    console.print(f"  {counts['near_across_splits']} nearly identical pictures")
    for copy in counts["examples"][:3]:
        console.print(f"    {copy['face_id']} ({copy['split']}) is {copy['copy_id']} ({copy['copy_split']})")
    if counts["new_split"]:
        console.print(f"  {counts['num_dropped']} training copies left out in split '{counts['new_split']}'")
