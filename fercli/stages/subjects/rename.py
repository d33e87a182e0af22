"""Do the work of `fer subjects rename`: give a subject another name."""

from fercli.core.errors import InputError
from fercli.core.files import slug
from fercli.core.people import subject_sources
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.stages.subjects.merge import NamesPlan, run
from fercli.stages.subjects.tables import known_subject, unless_done

__all__ = ["plan", "run"]


def _words(old: str, new: str) -> str:
    return f"subjects rename {old} {new}"


@unless_done(_words)
def plan(project: Project, settings: None, old: str, new: str, *, force: bool, progress: Progress) -> NamesPlan:
    """Check both names.

    Raises:
        InputError: there is no subject `old`, or `new` is no id or another subject's.
    """
    sources = subject_sources(project)
    known_subject(project, old, sources)
    if new != slug(new):
        hint = f"Use lower-case letters, digits, - and _, for example {slug(new)}"
        raise InputError(f"'{new}' is not a subject id", hint=hint)
    if new in sources:
        raise InputError(f"subject '{new}' already exists", hint=f"To merge them: fer subjects merge {new} {old}")
    lines = (f"rename {old} to {new}",)
    sources = sources | {new: "manual"}
    return NamesPlan(lines=lines, words=_words(old, new), given=(old, new), names={old: new}, sources=sources)
