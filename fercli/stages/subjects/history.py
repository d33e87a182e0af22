"""Record what each manual step changed of the subjects, so that `fer subjects undo` can take the last one back."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fercli.core.commit import Commit, current_path
from fercli.core.project import Project
from fercli.core.rows import Face

_MOST_STEPS = 50


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        words: of its command.
        moves: subject before, subject after, and the faces that went from the one to the other.
        sources: where the subjects came from before, as far as the step changed that.
    """

    words: str
    moves: list[tuple[str, str, list[str]]]
    sources: dict[str, str]


def read_steps(project: Project) -> list[Step]:
    """The steps that can be taken back, the last one at the end; none where the note is missing or damaged."""
    return _read(project) or []


def are_damaged(project: Project) -> bool:
    """Whether the note of steps is there and cannot be read."""
    return _read(project) is None and current_path(project.root, _path(project)).exists()


def _read(project: Project) -> list[Step] | None:
    try:
        steps = json.loads(current_path(project.root, _path(project)).read_text(encoding="utf-8"))
        return [
            Step(one["words"], [(old, new, ids) for old, new, ids in one["moves"]], one["sources"]) for one in steps
        ]
    except (OSError, ValueError, TypeError, KeyError):
        return None


def put_steps(project: Project, commit: Commit, steps: Sequence[Step]) -> None:
    """Commit the note of all steps."""
    commit.text(_path(project), json.dumps([asdict(step) for step in steps[-_MOST_STEPS:]]) + "\n")


def step_between(
    words: str, before: Sequence[Face], after: Sequence[Face], *, old: Mapping[str, str], new: Mapping[str, str]
) -> Step:
    """What a step changed; `old` and `new` are the sources of the subjects."""
    subject_before = {face.face_id: face.subject_id for face in before}
    moved: dict[tuple[str, str], list[str]] = defaultdict(list)
    for face in after:
        if subject_before[face.face_id] != face.subject_id:
            moved[subject_before[face.face_id], face.subject_id].append(face.face_id)
    moves = [(*names, ids) for names, ids in sorted(moved.items())]
    # A subject that nobody is any more has no row that keeps its source.
    left = {face.subject_id for face in after if face.is_usable}
    return Step(words, moves, {one: source for one, source in old.items() if new.get(one) != source or one not in left})


def _path(project: Project) -> Path:
    return project.root / ".fer" / "subjects.json"
