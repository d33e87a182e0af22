"""Do the work of `fer subjects track`: link faces into tracks, tracks into seats, and seats into subjects."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fercli.core.commit import Commit
from fercli.core.people import EVERY_SESSION, KEPT, WITHIN_SESSION, subject_sources
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Video
from fercli.core.words import counted
from fercli.stages.subjects import GROUPS, SubjectsResult, TrackSettings, basis_of, groups_of
from fercli.stages.subjects.tables import listed, pictures_of, put_subjects, together
from fercli.stages.subjects.track_plan import TrackPlan
from fercli.stages.subjects.tracking import Doubt, Tracked, assign_tracks
from fercli.vision.images import png_bytes
from fercli.vision.sheets import SheetRow, contact_sheet

_FEW_FACES = 3
_DOUBTS = "reports/subjects-doubts.png"
_FACES_EACH, _MOST_DOUBTS = 5, 100


def run(
    project: Project, settings: TrackSettings, plan: TrackPlan, commit: Commit, *, progress: Progress
) -> SubjectsResult:
    """Assign subjects; those that exist keep their names where most of a seat's faces have them."""
    sources = subject_sources(project)
    tracked = assign_tracks(project, plan.faces, settings, sources, force=plan.force, progress=progress)
    sources |= _joined_sources(project, tracked.faces, settings, sources)
    progress.start("assigning subjects", 1)
    warnings = [*_doubts(tracked.faces), *_said(tracked)]
    commit.items = {GROUPS: groups_of(tracked.faces), "basis": basis_of(project, settings)}
    result = put_subjects(project, commit, tracked.faces, sources, warnings=warnings)
    outputs = (*result.outputs, *_put_doubts(project, commit, tracked.doubts))
    progress.advance()
    return replace(result, outputs=outputs)


def _joined_sources(
    project: Project, faces: Sequence[Face], settings: TrackSettings, sources: Mapping[str, str]
) -> dict[str, str]:
    """How far subjects hold whose seats were joined over the videos of a session, or over all sessions."""
    if not settings.join_sessions:
        return {}
    joined = {video.video_id for video in project.rows(Video) if video.session}
    names = {face.subject_id for face in faces if face.video_id in joined and face.status == "ok"} - {""}
    source = EVERY_SESSION if settings.across_sessions else WITHIN_SESSION
    return {name: source for name in names if sources.get(name) not in KEPT}


def _said(tracked: Tracked) -> list[str]:
    said = [
        f"'{video}' has {counted(number, 'view')}; who is in several of them is several subjects: fer "
        f"subjects merge KEEP OTHER"
        for video, number in sorted(tracked.views.items())
    ]
    if tracked.num_strays:
        said.append(
            f"{counted(tracked.num_strays, 'face')} among people who walk look like nobody else and have no subject; "
            "fer subjects assign CSV gives them one, and fer subjects track --appearance may"
        )
    titles = [f"{doubt.title} ({doubt.note})" for doubt in tracked.doubts]
    if titles:
        said.append(
            f"{counted(len(titles), 'doubt')}, each with its faces in {_DOUBTS}: {listed(titles)}. "
            "Then: fer subjects split SUBJECT FACE, or fer subjects merge KEEP OTHER"
        )
    return said


def _put_doubts(project: Project, commit: Commit, doubts: Sequence[Doubt]) -> list[str]:
    path = project.root / _DOUBTS
    if not doubts:
        if path.exists():
            commit.delete(path)
        return []
    rows = []
    for doubt in doubts[:_MOST_DOUBTS]:
        parts = [pictures_of(project, part, [], _FACES_EACH) for part in doubt.parts]
        blank = [np.full((8, 8, 3), 255, np.uint8)] * (_FACES_EACH - len(parts[0]) + 1)
        rows.append(SheetRow(doubt.title, doubt.note, [*parts[0], *blank, *parts[1]]))
    return [commit.data(path, png_bytes(contact_sheet(rows, num_columns=2 * _FACES_EACH + 1)))]


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
