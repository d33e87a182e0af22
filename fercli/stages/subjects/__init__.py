"""`fer subjects`: faces to the people they belong to: by seats and tracks, from a table, or by hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Frame, Video
from fercli.core.settings import setting
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.align import came_as_crops

__all__ = [
    "SubjectsResult",
    "TrackSettings",
    "assign_subjects",
    "merge_subjects",
    "rename_subject",
    "track_subjects",
]


@dataclass(frozen=True)
class TrackSettings:
    """What makes two faces the same person."""

    camera: Literal["fixed", "moving"] = setting(
        "fixed", "Assume a fixed camera (one seat, one person) or a moving one."
    )
    join_sessions: bool = setting(False, "Keep each seat's subject across the videos of a session.")
    max_missed: int = setting(5, "End a track after this many frames without a match.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class SubjectsResult(StageResult):
    """Who is who now.

    Attributes:
        num_subjects: people told apart.
        num_faces: faces that have a subject.
        num_faces_without_subject: faces that have none, because they come from pictures without time.
        num_tracks: tracks that the subjects are made of.
        num_changed: faces whose subject this call changed.
    """

    num_subjects: int = 0
    num_faces: int = 0
    num_faces_without_subject: int = 0
    num_tracks: int = 0
    num_changed: int = 0


def _inputs(project: Project, settings: TrackSettings) -> Inputs:
    return Inputs([project.table_path(row) for row in (Face, Video, Frame)])


track_subjects = Stage(
    words="subjects track",
    settings=TrackSettings,
    result=SubjectsResult,
    work="fercli.stages.subjects.track",
    inputs=_inputs,
    skip=came_as_crops,
)
assign_subjects = Stage(
    words="subjects assign",
    settings=None,
    result=SubjectsResult,
    work="fercli.stages.subjects.assign",
    arguments=(Argument("table", Path, "Read subjects from this CSV table.", "CSV"),),
    told=lambda _, settings, table: [table.name],
    remakes=True,
)
merge_subjects = Stage(
    words="subjects merge",
    settings=None,
    result=SubjectsResult,
    work="fercli.stages.subjects.merge",
    arguments=(
        Argument("keep", str, "Keep this subject's id.", "KEEP"),
        Argument("others", list[str], "Merge these subjects into it.", "OTHER..."),
    ),
    remakes=True,
)
rename_subject = Stage(
    words="subjects rename",
    settings=None,
    result=SubjectsResult,
    work="fercli.stages.subjects.rename",
    arguments=(
        Argument("old", str, "Rename this subject.", "OLD"),
        Argument("new", str, "Set the new id.", "NEW"),
    ),
    remakes=True,
)
