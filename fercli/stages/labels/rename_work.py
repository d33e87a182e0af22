"""Do the work of `fer labels annotators rename`: give an annotator another pseudonym."""

from fercli.core.errors import InputError
from fercli.core.files import slug
from fercli.core.names import folded
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Vote
from fercli.labels.formats.rawvotes import is_ballot
from fercli.labels.pseudonyms import ADJUDICATOR, is_pseudonym
from fercli.stages.labels.archive import read_key
from fercli.stages.labels.merge_work import NamesPlan, annotators_of, check_known, run, unchanged

__all__ = ["plan", "run"]


def plan(project: Project, settings: None, old: str, new: str, *, force: bool, progress: Progress) -> NamesPlan:
    """Check both names.

    Raises:
        MissingStageError: no votes have been imported.
        InputError: there is no annotator `old`; `new` is no id, is taken, or is somebody's name.
    """
    project.require(Vote)
    known, key = annotators_of(project), read_key(project)
    if old not in known and new in known and key.get(old) == new:
        return NamesPlan(names={}, known=unchanged(project, "that was done before"))
    check_known(old, known, key)
    if new != slug(new):
        hint = f"Use lower-case letters, digits, - and _, for example {slug(new)}"
        raise InputError(f"'{new}' is not a pseudonym", hint=hint)
    if new in known or new in key.values() or (is_pseudonym(new) and new in key):
        raise InputError(
            f"annotator '{new}' exists or existed", hint=f"To merge: fer labels annotators merge {new} {old}"
        )
    if is_ballot(new) or new == ADJUDICATOR:
        raise InputError(f"'{new}' cannot be an annotator's pseudonym", hint="It has a meaning of its own.")
    if folded(new) in {folded(name).partition("@")[0] for name in key} | {folded(name) for name in key}:
        hint = "Names stand in labels/imports only; take a word that tells nobody who it is."
        raise InputError(f"'{new}' is the name of an annotator", hint=hint)
    return NamesPlan(lines=(f"rename {old} to {new}",), names={old: new})
