"""What `fer add` can be told, and what it says of what came in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fercli.core.results import StageResult
from fercli.core.settings import setting
from fercli.stages.add.source import AddSourceSettings, SourceName


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
