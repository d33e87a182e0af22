"""`fer subjects track`, `assign`, `merge` and `rename`."""

from pathlib import Path
from typing import Annotated

import typer

from fercli.cli.options import Call
from fercli.stages.subjects.work import (
    SubjectsResult,
    TrackSettings,
    assign_subjects,
    merge_subjects,
    rename_subject,
    track_subjects,
)


def subjects_track(call: Call, *, settings: TrackSettings) -> SubjectsResult:
    """Options -> settings -> stage."""
    return track_subjects(call.project, settings, progress=call.progress, force=call.force, dry_run=call.dry_run)


def subjects_assign(
    call: Call, table: Annotated[Path, typer.Argument(metavar="CSV", help="Read subjects from this CSV file.")]
) -> SubjectsResult:
    """Argument -> stage."""
    return assign_subjects(call.project, table)


def subjects_merge(
    call: Call,
    keep: Annotated[str, typer.Argument(metavar="KEEP", help="Keep this subject's id.")],
    others: Annotated[list[str], typer.Argument(metavar="OTHER...", help="Merge these subjects into it.")],
) -> SubjectsResult:
    """Arguments -> stage."""
    return merge_subjects(call.project, keep, others)


def subjects_rename(
    call: Call,
    old: Annotated[str, typer.Argument(metavar="OLD", help="Rename this subject.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Set its new name.")],
) -> SubjectsResult:
    """Arguments -> stage."""
    return rename_subject(call.project, old, new)
