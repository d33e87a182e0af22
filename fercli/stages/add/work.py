"""`fer add`: videos, folders of pictures and public data sets to rows of the project."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from fercli.core.errors import UsageError
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.stages.add import AddResult, AddSettings
from fercli.stages.add.media import add_media
from fercli.stages.add.source import AddSourceResult, AddSourceSettings, add_source

__all__ = ["AddResult", "AddSettings", "add"]


def add(
    project: Project,
    settings: AddSettings,
    paths: Sequence[Path],
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
) -> AddResult | AddSourceResult:
    """Bring files into the project; what is there already, by its contents, is not added twice.

    Args:
        project: where to.
        settings: see AddSettings.
        paths: videos, pictures, or folders, which are searched with all that lies in them.
        progress: where to tell how far it is.
        force: read a data set again although nothing has changed.
        dry_run: only say what would be added.

    Raises:
        UsageError: no path, several for one data set, or a date that is none.
        InputError: nothing of what the paths name can be added.
        ProjectError: a data set read again would lose faces that have votes.
    """
    if not paths:
        raise UsageError("nothing to add", hint="Name videos or folders: fer add lesson.mp4")
    _check_date(settings.recorded_at)
    if settings.source is None:
        return add_media(project, settings, paths, progress=progress, dry_run=dry_run)
    if len(paths) > 1:
        raise UsageError("a data set is read from one path", hint=f"Run: fer add --source {settings.source} PATH")
    of_source = AddSourceSettings(
        source=settings.source, name=settings.name, votes=settings.votes, mode=settings.mode, seed=settings.seed
    )
    return add_source(project, of_source, paths[0], progress=progress, force=force, dry_run=dry_run)


def _check_date(text: str) -> None:
    try:
        if text:
            datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"'{text}' is no date", hint="Write it like 2024-05-17 or 2024-05-17T09:00.") from error
