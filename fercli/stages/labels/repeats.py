"""Faces that the labelling page showed twice, from the imports that it made: how often an annotator said the same."""

import csv
from collections.abc import Iterator
from typing import NamedTuple

from fercli.core.project import Project
from fercli.stages.labels.archive import read_imports

# How the imports of the page are called; see `waiting_work`.
PREFIX = "annotate-"


class Look(NamedTuple):
    """A vote on a face at the page; `is_second` where the face was shown again."""

    annotator: str
    face_id: str
    is_second: bool
    label: str
    at: str
    comment: str


def looks(project: Project) -> Iterator[Look]:
    """All votes of the page's imports, oldest first; what was purged since is left out."""
    for entry in read_imports(project):
        path = project.root / entry.kept
        if not entry.name.startswith(PREFIX) or not path.is_file():
            continue
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row.get("label") and row.get("face"):
                    is_second = row["item"] != row["face"]
                    what = row["label"], row["created_at"], row.get("comment", "")
                    yield Look(row["annotator"], row["face"], is_second, *what)


def items_seen(project: Project, annotator: str) -> dict[str, str]:
    """The faces that the annotator has voted on for the second time, and when."""
    return {look.face_id: look.at for look in looks(project) if look.is_second and look.annotator == annotator}


def self_agreement(project: Project) -> dict[str, tuple[int, int]]:
    """For each annotator the faces that were judged twice, and how many of them alike."""
    said: dict[tuple[str, str], dict[bool, str]] = {}
    for look in looks(project):
        said.setdefault((look.annotator, look.face_id), {})[look.is_second] = look.label
    counts: dict[str, tuple[int, int]] = {}
    for (annotator, _), labels in sorted(said.items()):
        if len(labels) == 2:
            number, num_alike = counts.get(annotator, (0, 0))
            counts[annotator] = number + 1, num_alike + (labels[True] == labels[False])
    return counts


def comments(project: Project) -> dict[str, list[tuple[str, str]]]:
    """What annotators wrote about faces: for each face who, and the words."""
    found: dict[str, list[tuple[str, str]]] = {}
    for look in looks(project):
        if look.comment:
            found.setdefault(look.face_id, []).append((look.annotator, look.comment))
    return found
