"""The work of `fer subjects track`: faces to tracks, tracks to seats, and each seat of a video to its subject."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fercli.core.commit import Commit
from fercli.core.people import subject_sources
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Frame, Video
from fercli.core.stage import Plan
from fercli.stages.subjects import SubjectsResult, TrackSettings
from fercli.stages.subjects.tables import listed, put_subjects, together
from fercli.stages.subjects.tracking import assign_tracks

_NEXT = "fer labels import FILE"
_FEW_FACES = 3


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
    lines = (f"assign {num_faces:,} faces to tracks, seats and subjects",)
    return TrackPlan(lines=lines, faces=faces, force=force)


def run(
    project: Project, settings: TrackSettings, plan: TrackPlan, commit: Commit, *, progress: Progress
) -> SubjectsResult:
    """Assign subjects; those that exist keep their names where most of a seat's faces have them."""
    progress.start("assigning subjects", 1)
    sources = subject_sources(project)
    videos = {video.video_id: video for video in project.rows(Video)}
    faces = assign_tracks(plan.faces, videos, settings, sources, frames=project.rows(Frame), force=plan.force)
    result = put_subjects(project, commit, faces, sources, warnings=_doubts(faces))
    progress.advance()
    return replace(result, next_command=_NEXT)


def _doubts(faces: Sequence[Face]) -> list[str]:
    counts: dict[str, int] = {}
    for face in faces:
        if face.subject_id and face.is_usable:
            counts[face.subject_id] = counts.get(face.subject_id, 0) + 1
    rare = sorted(name for name, count in counts.items() if count < _FEW_FACES)
    said = []
    if rare:
        said.append(
            f"Subjects with fewer than {_FEW_FACES} faces ({listed(rare)}) may be passers-by or duplicates."
            " Check the contact sheet, then: fer subjects merge KEEP OTHER"
        )
    untimed = {face.video_id for face in faces if face.status == "ok" and face.time_s is None and not face.subject_id}
    if untimed:
        said.append(
            f"Images without time have no tracks ({listed(sorted(untimed))});"
            " assign their subjects with: fer subjects assign CSV"
        )
    return said + together(faces)
