"""`fer add`: videos, folders of pictures and public data sets to rows of the project."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from fercli.core.errors import UsageError
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.settings import setting
from fercli.stages.add_source import AddSourceResult, AddSourceSettings, SourceName, add_source


@dataclass(frozen=True)
class AddSettings:
    """How files come into the project, and what is known of them."""

    link: bool = setting(False, "Link to the files instead of copying them.", is_hidden=True)
    session: str = setting("", "Note the lesson or session that the files belong to.")
    recorded_at: str = setting("", "Note when they were recorded, e.g. 2024-05-17T09:00.")
    source: SourceName | None = setting(None, "Read PATH as this public data set, or as class folders.")
    name: str = setting(AddSourceSettings.name, "Call the data set so in ids; its own name otherwise.")
    votes: Path | None = setting(AddSourceSettings.votes, "Read FERPlus' fer2013new.csv from here.")
    mode: Literal["majority", "probability", "multi-target"] = setting(
        AddSourceSettings.mode, "Turn FERPlus' votes into labels by this rule."
    )
    seed: int = setting(AddSourceSettings.seed, "Draw a missing val part of a data set with this seed.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class AddResult(StageResult):
    """What came in.

    Attributes:
        num_videos: videos that are new.
        num_pictures: pictures that are new, each a frame.
        num_known: videos and pictures that were there already.
        num_foreign: files of other types in the folders, passed over.
        ids: of the videos and folders that files were added to or that were there already.
    """

    num_videos: int = 0
    num_pictures: int = 0
    num_known: int = 0
    num_foreign: int = 0
    ids: tuple[str, ...] = ()


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
        from fercli.stages.add_media import add_media

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
