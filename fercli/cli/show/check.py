"""What checks found, as lines on the screen."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console

from fercli.core.words import counted
from fercli.stages.check.all import CheckAllResult
from fercli.stages.check.images import CheckImagesResult
from fercli.stages.check.labels import CheckLabelsResult
from fercli.stages.check.leakage import CheckLeakageResult

Counts = Mapping[str, Any]  # the fields of a check's result


def show_leakage(result: CheckLeakageResult, *_: Any) -> bool:
    """Print what the sets of a split share, and the first copies."""
    if result.is_dry_run:
        return False
    _leakage(Console(highlight=False, soft_wrap=True), asdict(result))
    return True


def show_images(result: CheckImagesResult, *_: Any) -> bool:
    """Print what is wrong with the crops."""
    if result.is_dry_run:
        return False
    console = Console(highlight=False, soft_wrap=True)
    _images(console, asdict(result))
    if result.num_conflicting_groups:
        groups = counted(result.num_conflicting_groups, "group")
        console.print(f"  {groups} of duplicates with different labels")
    if result.blank:
        console.print(f"  blank: {', '.join(result.blank)}", markup=False)
    if result.num_fixed:
        console.print(f"  {counted(result.num_fixed, 'face')} marked as dropped")
    return True


def show_labels(result: CheckLabelsResult, *_: Any) -> bool:
    """Print how labels, votes and faces fit together."""
    if result.is_dry_run:
        return False
    console = Console(highlight=False, soft_wrap=True)
    _labels(console, asdict(result))
    if result.krippendorff is not None:
        console.print(f"  Krippendorff's alpha {result.krippendorff:.3f}")
    if result.num_fixed:
        console.print(f"  {counted(result.num_fixed, 'label')} recomputed or removed")
    return True


def show_all(result: CheckAllResult, *_: Any) -> bool:
    """Print the counts of every check."""
    console = Console(highlight=False, soft_wrap=True)
    images, labels = result.images, result.labels
    _images(console, images)
    if labels:
        _labels(console, labels)
    for counts in result.leakage.values():
        _leakage(console, counts)
    for line in result.plan:
        console.print(f"would {line}")
    return True


def _images(console: Console, counts: Counts) -> None:
    console.print(
        f"images: {counted(counts['num_faces'], 'face')}, {counted(counts['num_missing'], 'crop')} missing, "
        f"{counts['num_unreadable']:,} unreadable, {counts['num_blank']:,} blank, "
        f"{counted(counts['num_identical_groups'], 'group')} of duplicates"
    )


def _labels(console: Console, counts: Counts) -> None:
    console.print(
        f"labels: {counted(counts['num_labels'], 'label')}, {counted(counts['num_votes'], 'vote')}, "
        f"{counts['num_outdated']:,} outdated, {counts['num_without_face']:,} without a face"
    )


def _leakage(console: Console, counts: Counts) -> None:
    published = ", official" if counts["is_published"] else ""
    console.print(f"split '{counts['split']}'{published}: {counted(counts['num_faces'], 'face')}; shared between sets:")
    people = counted(counts["subjects_across_splits"], "subject")
    if counts["unmatched_videos"]:
        people += " by the tracks of each video (across videos: not known)"
    console.print(f"  {people}, {counted(counts['videos_across_splits'], 'video')}")
    parts = ", ".join(f"{parts} {number}" for parts, number in counts["identical_by_parts"].items())
    console.print(f"  {counted(counts['identical_across_splits'], 'identical image')}{f' ({parts})' if parts else ''}")
    console.print(f"  {counted(counts['near_across_splits'], 'near-duplicate image')}")
    for copy in counts["examples"][:3]:
        console.print(f"    {copy['face_id']} ({copy['split']}) is {copy['copy_id']} ({copy['copy_split']})")
    if counts["new_split"]:
        console.print(
            f"  {counted(counts['num_dropped'], 'duplicate training face')} removed in split '{counts['new_split']}'"
        )
