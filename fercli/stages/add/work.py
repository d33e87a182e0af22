"""The work of `fer add`: media or a dataset, whichever the settings name."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from fercli.core.errors import UsageError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.stages.add import AddSettings, AddSourceSettings, add_media, add_source


def call(
    project: Project, settings: AddSettings, paths: Sequence[Path], *, progress: Progress, force: bool, dry_run: bool
) -> StageResult:
    """Bring files into the project; what is there already, by its contents, is not added twice.

    Raises:
        UsageError: no path, several for one dataset, or an invalid date.
        InputError: nothing of what the paths name can be added.
        ProjectError: a dataset read again would lose faces that have votes, or its name is a video's.
    """
    if not paths:
        raise UsageError("no files given", hint="Usage: fer add lesson.mp4")
    _check_date(settings.recorded_at)
    if settings.subject_from and settings.source != "folder":
        raise UsageError(
            "--subject-from is for class folders (--source folder)",
            hint="For images without labels: fer align, then fer subjects assign CSV, with columns path and subject.",
        )
    if settings.map and settings.source is None:
        raise UsageError("--map is for datasets", hint="Name the dataset: --source folder.")
    if settings.stream and settings.source is not None:
        raise UsageError("--stream is for videos", hint="Leave --source or --stream out.")
    if settings.source is None:
        return add_media(project, settings, list(paths), progress=progress, dry_run=dry_run, force=force)
    if len(paths) > 1:
        raise UsageError("a dataset is read from one path", hint=f"Run: fer add --source {settings.source} PATH")
    of_source = AddSourceSettings(
        source=settings.source,
        name=settings.name,
        votes=settings.votes,
        mode=settings.mode,
        seed=settings.seed,
        map=settings.map,
        subject_from=settings.subject_from,
    )
    return add_source(project, of_source, paths[0], progress=progress, force=force, dry_run=dry_run)


def _check_date(text: str) -> None:
    try:
        if text:
            datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"invalid date '{text}'", hint="Use the form 2024-05-17 or 2024-05-17T09:00.") from error
