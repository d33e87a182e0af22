"""`fer subjects`: assign faces to subjects by seat and track, from a table, or by hand."""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from fercli.core.commit import current_path
from fercli.core.memory import fingerprint, read_state, recall
from fercli.core.people import DECIDED
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Frame, Subject, Video
from fercli.core.settings import ANY, setting
from fercli.core.splits import groups_mark
from fercli.core.stage import Argument, Inputs, Stage
from fercli.core.tables import opened_table
from fercli.stages.align import came_as_crops
from fercli.stages.next_steps import with_what_follows
from fercli.stages.subjects.proposals import read_proposals

__all__ = [
    "MatchResult",
    "SubjectsResult",
    "TrackSettings",
    "assign_subjects",
    "confirm_subjects",
    "match_subjects",
    "merge_subjects",
    "rename_subject",
    "split_subject",
    "track_subjects",
    "undo_subjects",
]


# Under which name tracking notes who is who when it ends.
GROUPS = "groups"
_BY_HAND = (
    "Subjects have been changed by hand since they were tracked; what tracking doubted then is in "
    "reports/subjects-doubts.png, where there was anything."
)


@dataclass(frozen=True)
class TrackSettings:
    """What makes two faces the same person."""

    camera: Literal["fixed", "moving"] = setting(
        "fixed", "Assume a fixed camera (one seat, one person) or a moving one."
    )
    join_sessions: bool = setting(False, "Keep each seat's subject across the videos of a session.")
    across_sessions: bool = setting(
        False, "With --join-sessions, keep seats across sessions too.", is_later=True, only_with={"join_sessions": ANY}
    )
    appearance: bool = setting(False, "Compare faces too where people walk (biometric).", is_later=True)
    max_missed: int = setting(5, "End a track after this many frames without a match.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class MatchResult(StageResult):
    """Who may be one person.

    Attributes:
        num_subjects: subjects that were compared.
        num_faces: faces of them that were looked at.
        num_proposed: pairs.
        num_sure: pairs that `fer subjects confirm` takes by itself.
        proposals: each pair with its similarity, and its margin over the next best of either.
    """

    num_subjects: int = 0
    num_faces: int = 0
    num_proposed: int = 0
    num_sure: int = 0
    proposals: tuple[dict[str, Any], ...] = ()


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


def basis_of(project: Project, settings: TrackSettings) -> str:
    """One short name for what tracking looks at: not for who a person has said the faces are."""
    return fingerprint(settings, [project.table_path(row) for row in (Video, Frame)], _detections(project))


def tracked_before(project: Project, settings: TrackSettings) -> SubjectsResult | None:
    """What an earlier tracking of the same faces found, whatever a person has said of them since; often none."""
    state = read_state(project.root, "subjects-track")
    if state is None or state.items.get("basis") != basis_of(project, settings):
        return None
    return recall(project.root, "subjects-track", state.fingerprint, SubjectsResult)


def _detections(project: Project) -> str:
    """A digest of faces.csv but for what tracking, or a person, says of them: who they are."""
    path = project.table_path(Face)
    if not project.has(path):
        return ""
    found = hashlib.sha256()
    with opened_table(current_path(project.root, path)) as file:
        reader = csv.reader(file)
        header = next(reader, [])
        kept = [place for place, name in enumerate(header) if name not in ("subject_id", "track_id")]
        for cells in reader:
            found.update("\0".join(cells[place] for place in kept if place < len(cells)).encode() + b"\n")
    return found.hexdigest()


def groups_of(faces: Iterable[Face]) -> str:
    """One short name for which faces show the same subject."""
    subjects = {face.face_id: face.subject_id for face in faces}
    return groups_mark(subjects, subjects)


def _as_known_now(project: Project, settings: TrackSettings, result: SubjectsResult) -> SubjectsResult:
    """The subjects of a tracking, new or of an earlier call, as they are by now: steps by hand may have followed."""
    if result.is_unchanged:
        faces = project.rows(Face)
        usable = [face for face in faces if face.is_usable]
        state = read_state(project.root, "subjects-track")
        is_by_hand = state is not None and state.items.get(GROUPS) not in (None, groups_of(faces))
        result = replace(
            result,
            num_subjects=len({face.subject_id for face in usable if face.subject_id}),
            num_faces=sum(bool(face.subject_id) for face in usable),
            num_faces_without_subject=sum(not face.subject_id for face in usable),
            num_tracks=len({face.track_id for face in usable if face.track_id}),
            num_changed=0,
            warnings=(_BY_HAND,) if is_by_hand else result.warnings,
        )
    return with_what_follows(project, result) if result.num_faces + result.num_faces_without_subject else result


def _need_no_tracking(project: Project) -> str:
    """Why nobody need be tracked: the faces came as crops, or a person has said of each face who it is."""
    if reason := came_as_crops(project):
        return reason
    if read_state(project.root, "subjects-track") or not project.has(project.table_path(Subject)):
        return ""
    usable = [face for face in project.rows(Face) if face.is_usable]
    is_decided = all(subject.source in DECIDED for subject in project.rows(Subject))
    is_whole = bool(usable) and all(face.subject_id for face in usable)
    return "subjects were assigned by hand" if is_whole and is_decided else ""


def _with_proposals(
    project: Project, settings: None, pairs: Sequence[str] = (), distinct: bool = False
) -> tuple[None, tuple[list[str], bool]]:
    """Without pairs those of the open matching that are sure, so that the log names them."""
    sure = [one.word for one in read_proposals(project) or () if one.is_sure]
    return settings, (list(pairs) or sure, distinct)


track_subjects = Stage(
    words="subjects track",
    settings=TrackSettings,
    result=SubjectsResult,
    work="fercli.stages.subjects.track",
    planning="fercli.stages.subjects.track_plan",
    inputs=_inputs,
    now=_as_known_now,
    skip=_need_no_tracking,
)
assign_subjects = Stage(
    words="subjects assign",
    settings=None,
    result=SubjectsResult,
    work="fercli.stages.subjects.assign",
    arguments=(
        Argument("table", Path, "Read subjects from this CSV table.", "CSV"),
        Argument(
            "columns", str, "Attach these columns to subjects or videos.", "A,B,...", default="", option="--columns"
        ),
    ),
    told=lambda _, settings, table, columns: [table.name, *(["--columns", columns] if columns else [])],
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
match_subjects = Stage(
    words="subjects match",
    settings=None,
    result=MatchResult,
    work="fercli.stages.subjects.match",
)
split_subject = Stage(
    words="subjects split",
    settings=None,
    result=SubjectsResult,
    work="fercli.stages.subjects.splitting",
    arguments=(
        Argument("subject", str, "Split this subject.", "SUBJECT"),
        Argument(
            "parts",
            list[str],
            "Move these tracks, or a track from a face on.",
            "[TRACK|FACE]...",
            default=(),
        ),
    ),
    remakes=True,
)
confirm_subjects = Stage(
    words="subjects confirm",
    settings=None,
    result=SubjectsResult,
    work="fercli.stages.subjects.confirm",
    arguments=(
        Argument("pairs", list[str], "Take these subjects for one person.", "[A=B]...", default=()),
        Argument("distinct", bool, "Take all others for different people.", default=False, option="--distinct"),
    ),
    settle=_with_proposals,
    remakes=True,
)
undo_subjects = Stage(
    words="subjects undo",
    settings=None,
    result=SubjectsResult,
    work="fercli.stages.subjects.undo",
    arguments=(
        Argument("forget", bool, "Only delete what matching keeps of faces.", default=False, option="--forget"),
    ),
    told=lambda _project, _settings, forget: ["--forget"] * forget,
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
