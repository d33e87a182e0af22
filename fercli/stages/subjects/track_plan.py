"""Plan `fer subjects track`: read the faces, without loading what follows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.stages.subjects import TrackSettings, tracked_before


@dataclass(frozen=True, kw_only=True)
class TrackPlan(Plan):
    """The faces; with `force` the tracked subjects are numbered anew, assigned, merged and renamed ones stay."""

    faces: Sequence[Face]
    force: bool


def plan(project: Project, settings: TrackSettings, *, force: bool, progress: Progress) -> TrackPlan:
    """Read the faces.

    Raises:
        MissingStageError: there are none.
    """
    faces = project.required_rows(Face)
    num_faces = sum(face.status == "ok" and face.time_s is not None for face in faces)
    lines = (f"assign {counted(num_faces, 'face')} to tracks, seats and subjects",)
    known = None if force else tracked_before(project, settings)
    return TrackPlan(lines=lines, faces=faces, force=force, known=known)
