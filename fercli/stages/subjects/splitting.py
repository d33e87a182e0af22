"""Do the work of `fer subjects split`: divide a subject that is several people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fercli.core.commit import Commit
from fercli.core.errors import InputError
from fercli.core.people import DECIDED, PARTED, subject_sources
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.stages.subjects import SubjectsResult
from fercli.stages.subjects.names import put_names
from fercli.stages.subjects.tables import Names, known_subject, put_subjects, unless_done


@dataclass(frozen=True, kw_only=True)
class SplitSubjectPlan(Plan):
    """The new subject of each face that leaves the old one."""

    words: str
    given: Sequence[str]
    names: Mapping[str, str]
    sources: Mapping[str, str]


def _words(subject: str, parts: Sequence[str]) -> str:
    return " ".join(["subjects split", subject, *parts])


@unless_done(_words)
def plan(
    project: Project, settings: None, subject: str, parts: Sequence[str], *, force: bool, progress: Progress
) -> SplitSubjectPlan:
    """Share the subject's faces out.

    Each track of `parts` becomes a subject of its own; of a face, it and all later ones of its track become one. With
    no parts each track but the first does.

    Raises:
        InputError: no such subject, or it has no such track or face, or only one track.
    """
    faces = project.required_rows(Face)
    sources = subject_sources(project, faces)
    known_subject(project, subject, sources)
    own = sorted((face for face in faces if face.subject_id == subject), key=_moment)
    tracks = list(dict.fromkeys(face.track_id for face in own if face.track_id))
    if not parts and len(tracks) < 2:
        hint = f"Name the face from which on it is another person: fer subjects split {subject} FACE_ID"
        raise InputError(f"subject '{subject}' has only one track", hint=hint)
    names = Names(face.subject_id for face in faces)
    new: dict[str, str] = {}
    for part in parts or tracks[1:]:
        found = _faces_of(part, own)
        if not found:
            hint = f"Its tracks: {', '.join(tracks)}. Or name a face of it."
            raise InputError(f"subject '{subject}' has no track or face '{part}'", hint=hint)
        new |= dict.fromkeys(found, names.new())
    if len(new) == len(own):
        raise InputError(f"no face of subject '{subject}' would be left", hint="Leave one of its tracks out.")
    made = sorted(set(new.values()))
    return SplitSubjectPlan(
        lines=(f"move {len(new):,} of {counted(len(own), 'face')} of {subject} to {', '.join(made)}",),
        words=_words(subject, parts),
        given=(subject, *parts),
        names=new,
        sources=sources | dict.fromkeys([subject, *made], _parted(sources[subject])),
    )


def run(
    project: Project, settings: None, plan: SplitSubjectPlan, commit: Commit, *, progress: Progress
) -> SubjectsResult:
    """Give the faces their new subjects."""
    faces = project.required_rows(Face)
    names = put_names(project, commit, [plan.given[0]])
    commit.words = [names.get(word, word) for word in plan.given]
    faces = [replace(face, subject_id=plan.names.get(face.face_id, face.subject_id)) for face in faces]
    return put_subjects(project, commit, faces, plan.sources, words=plan.words)


def _parted(source: str) -> str:
    """The source of the parts of a subject: what a person decided stays so, and tracking leaves the rest alone."""
    return source if source in DECIDED else PARTED


def _faces_of(part: str, own: Sequence[Face]) -> list[str]:
    whole = [face.face_id for face in own if face.track_id == part]
    first = next((face for face in own if face.face_id == part), None)
    if whole or first is None:
        return whole
    return [face.face_id for face in own if face.track_id == first.track_id and _moment(face) >= _moment(first)]


def _moment(face: Face) -> tuple[str, float, str]:
    return face.video_id, face.time_s or 0.0, face.face_id
