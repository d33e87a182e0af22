"""Do the work of `fer subjects merge` and `rename`: give existing subjects other names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fercli.core.commit import Commit
from fercli.core.errors import UsageError
from fercli.core.people import subject_sources
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.core.stage import Plan
from fercli.stages.subjects import SubjectsResult
from fercli.stages.subjects.names import put_names
from fercli.stages.subjects.tables import known_subject, put_subjects, together, unless_done


@dataclass(frozen=True, kw_only=True)
class NamesPlan(Plan):
    """The ids that were given, the new name of each subject that gets one, and where each subject comes from."""

    words: str
    given: Sequence[str]
    names: Mapping[str, str]
    sources: Mapping[str, str]


def _words(keep: str, others: Sequence[str]) -> str:
    return " ".join(["subjects merge", keep, *others])


@unless_done(_words)
def plan(
    project: Project, settings: None, keep: str, others: Sequence[str], *, force: bool, progress: Progress
) -> NamesPlan:
    """Check the names.

    Raises:
        InputError: one of them does not exist.
        UsageError: a subject is to be merged with itself.
    """
    sources = subject_sources(project)
    for name in (keep, *others):
        known_subject(project, name, sources)
    if keep in others:
        raise UsageError(f"subject '{keep}' cannot be merged with itself", hint="Name two different subjects.")
    lines = (f"merge {', '.join(others)} into {keep}",)
    names, sources = dict.fromkeys(others, keep), sources | {keep: "manual"}
    return NamesPlan(lines=lines, words=_words(keep, others), given=(keep, *others), names=names, sources=sources)


def run(project: Project, settings: None, plan: NamesPlan, commit: Commit, *, progress: Progress) -> SubjectsResult:
    """Give the faces the new names of their subjects."""
    faces = project.required_rows(Face)
    faces = [replace(face, subject_id=plan.names.get(face.subject_id, face.subject_id)) for face in faces]
    names = put_names(project, commit, plan.given)
    commit.words = [names.get(subject_id, subject_id) for subject_id in plan.given]
    return put_subjects(project, commit, faces, plan.sources, words=plan.words, warnings=together(faces))
