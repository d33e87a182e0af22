"""`fer add`: add videos, folders of images and public datasets to the project."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fercli.core.files import slug
from fercli.core.memory import fingerprint
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Frame, Video
from fercli.core.settings import ANY, setting
from fercli.core.stage import Argument, Inputs, Stage
from fercli.vision.media import list_files, shown

SourceName = Literal["fer2013", "ferplus", "raf-db", "affectnet", "scfed", "sferd", "folder"]


@dataclass(frozen=True)
class AddSourceSettings:
    """Which dataset is added, and how its labels are made."""

    source: SourceName = setting("folder", "Read the path as this public dataset, or as class folders.")
    name: str = setting("", "Call the dataset so; its source's name otherwise.")
    mode: Literal["majority", "probability", "multi-target"] = setting(
        "majority", "Derive labels from FERPlus votes with this rule."
    )
    votes: Path | None = setting(None, "Read the FERPlus votes (fer2013new.csv) from this file.")
    seed: int = setting(0, "Draw a missing val part with this seed.", minimum=0)
    map: tuple[str, ...] = setting(
        (), "Map words of the data set to classes: joyful=happy,calm=neutral.", is_later=True
    )
    subject_from: str = setting("", "Read subjects from folders (folder), or from names by a pattern.", is_later=True)


@dataclass(frozen=True, kw_only=True)
class AddSourceResult(StageResult):
    """What came in.

    Attributes:
        name: of the dataset in the project.
        published_parts: rows that could be read of each part, as the set calls it.
        split: name of the split that the set brought; empty when its folders tell none.
        parts: labelled faces of each part of that split.
        num_constant: pictures of a single value.
        num_identical_groups: groups of byte-identical pictures; of these `num_conflicting_groups` have several labels.
        identical_across_splits: pictures of val and test that are byte-identical to one of an earlier part.
        left_out: rows of no class of the project, by the dataset's word for it.
        num_foreign: files that are no pictures.
        num_subjects: people that names or folders tell; `num_without_subject` faces are nobody's then.
    """

    name: str
    num_faces: int = 0
    num_labelled: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    published_parts: dict[str, int] = field(default_factory=dict)
    split: str = ""
    parts: dict[str, int] = field(default_factory=dict)
    num_constant: int = 0
    num_identical_groups: int = 0
    num_conflicting_groups: int = 0
    identical_across_splits: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    num_foreign: int = 0
    num_subjects: int = 0
    num_without_subject: int = 0


@dataclass(frozen=True)
class AddSettings:
    """How files come into the project, and what is known of them."""

    link: bool = setting(False, "Link to the files instead of copying them.", is_hidden=True)
    session: str = setting("", "Record the lesson or session the files belong to.", only_with={"source": (None,)})
    recorded_at: str = setting(
        "", "Record when they were filmed, e.g. 2024-05-17T09:00.", only_with={"source": (None,)}
    )
    source: SourceName | None = setting(None, "Import PATH as this public dataset, or as class folders.")
    name: str = setting(
        AddSourceSettings.name, "Name the dataset in face ids (default: the source name).", only_with={"source": ANY}
    )
    votes: Path | None = setting(
        AddSourceSettings.votes,
        "Read the FERPlus votes (fer2013new.csv) from this file.",
        only_with={"source": ("ferplus",)},
    )
    mode: Literal["majority", "probability", "multi-target"] = setting(
        AddSourceSettings.mode, "Derive labels from FERPlus votes with this rule.", only_with={"source": ("ferplus",)}
    )
    seed: int = setting(
        AddSourceSettings.seed,
        "Set the random seed for a validation set drawn from train.",
        minimum=0,
        only_with={"source": ANY},
    )
    map: tuple[str, ...] = setting(
        AddSourceSettings.map, "Map words of the dataset to classes: joyful=happy,calm=neutral.", is_later=True
    )
    subject_from: str = setting(
        AddSourceSettings.subject_from,
        "With --source folder, read subjects: 'folder', or 'name PATTERN'.",
        is_later=True,
    )
    stream: int | None = setting(
        None, "Use video stream N of each file (default: the one players show).", minimum=1, is_later=True
    )


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


def dataset_name(settings: AddSourceSettings, path: Path) -> str:
    """The name of a dataset in the ids of its faces."""
    return slug(settings.name or (path.resolve().name if settings.source == "folder" else settings.source))


def stamp_files(path: Path) -> str:
    """A digest of name, size and time of change of a file, or of all files below a folder."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else (Path(parent, name) for parent, _, names in os.walk(path) for name in names)
    for file in sorted(files):
        facts = file.lstat()
        digest.update(f"{os.fsencode(file.relative_to(path))!r} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _media_inputs(project: Project, settings: AddSettings, paths: Sequence[Path]) -> Inputs:
    return Inputs([project.table_path(Video), project.table_path(Frame)], list_files(paths, project.root).facts)


def _media_mark(project: Project, settings: AddSettings, paths: Sequence[Path]) -> str:
    """What was copied for other paths, or beside other tables, is no part of this call."""
    inputs = _media_inputs(project, settings, paths)
    return fingerprint(AddSettings(link=settings.link), inputs.files, inputs.extra)


def _source_inputs(project: Project, settings: AddSourceSettings, path: Path) -> Inputs:
    # Files count by size and time: to read a dataset through would take too long.
    stamps = [stamp_files(path), stamp_files(settings.votes) if settings.votes else None]
    # A video of this name has the same face ids; other videos make no difference.
    name = dataset_name(settings, path)
    namesakes = [video.video_id for video in project.rows(Video) if video.video_id == name]
    return Inputs(extra=[project.classes, project.aliases, stamps, *namesakes])


add_media = Stage(
    words="add",
    settings=AddSettings,
    result=AddResult,
    work="fercli.stages.add.media",
    inputs=_media_inputs,
    arguments=(Argument("paths", list[Path], "Videos, images, or folders of either.", "PATH"),),
    is_long=True,
    batch=_media_mark,
    retries=True,
    told=lambda _, settings, paths: [shown(Path(path.name)) for path in paths],
)
add_source = Stage(
    words="add",
    settings=AddSourceSettings,
    result=AddSourceResult,
    work="fercli.stages.add.source",
    inputs=_source_inputs,
    arguments=(Argument("path", Path, "The dataset, or a folder with a folder for each class.", "PATH"),),
    name=lambda _, settings, path: f"add-{dataset_name(settings, path)}",
    is_long=True,
    batch=lambda *_: "source",
    told=lambda _, settings, path: [shown(Path(path.resolve().name))],
)
add = Stage(
    words="add",
    settings=AddSettings,
    result=StageResult,
    work="fercli.stages.add.work",
    arguments=(Argument("paths", list[Path], "Videos, images, or folders of either.", "PATH"),),
    is_whole=True,
    remakes=True,
)
