"""`fer subjects`: who is who, by seats and tracks, by a table, or by a person who looked at the contact sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fercli.core.errors import InputError, UsageError
from fercli.core.files import slug
from fercli.core.memory import fingerprint, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Frame, Video
from fercli.stages.subjects.csv_file import read_assignments
from fercli.stages.subjects.tables import USABLE, SubjectsResult, known_subject, subject_sources, write_subjects
from fercli.stages.subjects.tracking import TrackSettings, assign_tracks

__all__ = [
    "SubjectsResult",
    "TrackSettings",
    "assign_subjects",
    "merge_subjects",
    "rename_subject",
    "track_subjects",
]

_NEXT = "fer labels import FILE"
_FEW_FACES = 3


def track_subjects(
    project: Project,
    settings: TrackSettings,
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
) -> SubjectsResult:
    """Give faces to tracks, tracks to seats, and each seat of a video its subject.

    Subjects that exist keep their names where most of a seat's faces have them.

    Args:
        project: has faces.
        settings: see there.
        progress: told of the one task.
        force: number the tracked subjects anew; assigned, merged and renamed ones stay.
        dry_run: only say what would be done.

    Raises:
        MissingStageError: there are no faces.
    """
    inputs = [project.table_path(row) for row in (Face, Video, Frame)]
    known = recall(project.root, "subjects-track", fingerprint(settings, inputs), SubjectsResult)
    if known and not force:
        return known
    if dry_run:
        num_faces = sum(face.status == "ok" and face.time_s is not None for face in project.required_rows(Face))
        return SubjectsResult(is_dry_run=True, plan=(f"give {num_faces} faces to tracks, seats and subjects",))
    with project.writing():
        faces = project.required_rows(Face)
        progress.start("subjects", 1)
        sources = subject_sources(project)
        videos = {video.video_id: video for video in project.rows(Video)}
        faces = assign_tracks(faces, videos, settings, sources, frames=project.rows(Frame), force=force)
        result = write_subjects(project, faces, sources, warnings=_doubts(faces))
        result = replace(result, next_command=_NEXT)
        # The table of faces is input and output: what counts is how this run leaves it.
        remember(project.root, "subjects-track", fingerprint(settings, inputs), settings, result=result)
        progress.advance()
    return result


def assign_subjects(project: Project, table: Path) -> SubjectsResult:
    """Name subjects by a CSV: a column of faces, tracks, subjects or videos, and a column `subject`.

    Args:
        project: has faces.
        table: header `face_id`, `track_id`, `subject_id` or `video_id`, and `subject` (or person, pupil, name).

    Raises:
        InputError: the table cannot be read, lacks a column, says two things of one face, or two names become one id.
    """
    with project.writing():
        faces = project.required_rows(Face)
        column, named = read_assignments(table)
        wanted = {face.face_id: named[key] for face in faces if (key := getattr(face, column)) in named}
        known = {getattr(face, column) for face in faces}
        unknown = [Failure(key, f"no face has this {column}") for key in sorted(set(named) - known)]
        faces = [replace(face, subject_id=wanted.get(face.face_id, face.subject_id)) for face in faces]
        sources = subject_sources(project) | dict.fromkeys(named.values(), "csv")
        return write_subjects(project, faces, sources, warnings=_together(faces), failures=unknown)


def merge_subjects(project: Project, keep: str, others: Sequence[str]) -> SubjectsResult:
    """Make several subjects one, under the name of the first.

    Raises:
        InputError: one of them does not exist.
        UsageError: a subject is to be merged with itself.
    """
    with project.writing():
        sources = subject_sources(project)
        for name in (keep, *others):
            known_subject(name, sources)
        if keep in others:
            raise UsageError(f"subject '{keep}' cannot be merged with itself", hint="Name two different subjects.")
        return _rewrite(project, dict.fromkeys(others, keep), sources | {keep: "manual"})


def rename_subject(project: Project, old: str, new: str) -> SubjectsResult:
    """Call a subject otherwise.

    Raises:
        InputError: there is no subject `old`, or `new` is no id or another subject's.
    """
    with project.writing():
        sources = subject_sources(project)
        known_subject(old, sources)
        if new != slug(new):
            raise InputError(f"'{new}' is no subject id", hint=f"Letters, digits, - and _ in lower case: {slug(new)}")
        if new in sources:
            raise InputError(
                f"there is a subject '{new}' already", hint=f"To make them one: fer subjects merge {new} {old}"
            )
        return _rewrite(project, {old: new}, sources | {new: "manual"})


def _rewrite(project: Project, names: Mapping[str, str], sources: Mapping[str, str]) -> SubjectsResult:
    faces = project.required_rows(Face)
    faces = [replace(face, subject_id=names.get(face.subject_id, face.subject_id)) for face in faces]
    return write_subjects(project, faces, sources, warnings=_together(faces))


def _doubts(faces: Sequence[Face]) -> list[str]:
    counts: dict[str, int] = {}
    for face in faces:
        if face.subject_id and face.status in USABLE:
            counts[face.subject_id] = counts.get(face.subject_id, 0) + 1
    rare = sorted(name for name, count in counts.items() if count < _FEW_FACES)
    said = []
    if rare:
        said.append(
            f"Subjects with fewer than {_FEW_FACES} faces ({_listed(rare)}) may be passers-by, or parts of others."
            " Look at the contact sheet, then: fer subjects merge KEEP OTHER"
        )
    untimed = {face.video_id for face in faces if face.status == "ok" and face.time_s is None and not face.subject_id}
    if untimed:
        said.append(
            f"Pictures without time have no tracks ({_listed(sorted(untimed))});"
            " name their subjects with: fer subjects assign CSV"
        )
    return said + _together(faces)


def _together(faces: Sequence[Face]) -> list[str]:
    seen: set[tuple[str, str]] = set()
    doubled: set[str] = set()
    for face in faces:
        place = (face.frame_id, face.subject_id)
        if face.frame_id and face.subject_id and face.status in USABLE:
            if place in seen:
                doubled.add(face.subject_id)
            seen.add(place)
    return [f"Subjects seen twice in one frame: {_listed(sorted(doubled))}. They may be two people."] if doubled else []


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
