"""Replace subject ids that a person chose, which may be names, by stand-ins for log and report."""

import json
import re
from collections.abc import Iterable, Mapping

from fercli.core.commit import Commit, current_path
from fercli.core.errors import ProjectError
from fercli.core.project import Project
from fercli.core.rows import Subject

NAMES_PLACE = ".fer/subject-names.json"
_TRACKED = re.compile(r"s\d+")
# Of these sources of subjects the ids are a person's choice.
_BY_PEOPLE = ("csv", "manual")
_STAND_IN = re.compile(r"name-\d+")


def read_names(project: Project) -> dict[str, str]:
    """The stand-in of each id that a person has chosen so far: "anna" is "name-1".

    Raises:
        ProjectError: the file was altered.
    """
    path = current_path(project.root, project.root / NAMES_PLACE)
    if not path.exists():
        return {}
    try:
        return {str(name): str(word) for name, word in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, AttributeError) as error:
        hint = "Restore it, or delete it: then log and report give subjects other stand-ins."
        raise ProjectError(f"'{path}' is corrupt: {error}", hint=hint) from error


def with_names(known: Mapping[str, str], ids: Iterable[str]) -> dict[str, str]:
    """The stand-ins `known`, and new ones for those ids that are not the tracker's own (s001)."""
    names = dict(known)
    for subject_id in ids:
        if not _TRACKED.fullmatch(subject_id):
            names.setdefault(subject_id, f"name-{len(names) + 1}")
    return names


def logged_names(known: Mapping[str, str], words: Iterable[str]) -> dict[str, str]:
    """The stand-ins `known`, and new ones for names in lines of the log that an older version wrote."""
    return with_names(known, (word for word in words if not _STAND_IN.fullmatch(word)))


def shown_names(project: Project) -> dict[str, str]:
    """The stand-ins of all ids that people gave, those of an older version's project included."""
    chosen = (row.subject_id for row in project.rows(Subject) if row.source in _BY_PEOPLE)
    return with_names(read_names(project), chosen)


def put_names(project: Project, commit: Commit, ids: Iterable[str]) -> dict[str, str]:
    """Commit the stand-ins of these ids too, where they are new; all of them come back."""
    known = read_names(project)
    names = with_names(known, ids)
    if names != known:
        commit.text(project.root / NAMES_PLACE, json.dumps(names, indent=1) + "\n")
    return names
