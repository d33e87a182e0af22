"""An open matching, kept below .fer/cache/appearance until it is confirmed or forgotten."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fercli.core.commit import Commit, current_path
from fercli.core.project import Project

SHEET = "reports/subjects-match.png"
_FOLDER = ".fer/cache/appearance"


@dataclass(frozen=True)
class Proposal:
    """Two subjects of different videos that may be one person.

    Attributes:
        first: a subject.
        second: the other, of a later video.
        similarity: cosine of their mean appearance, -1 to 1.
        margin: by how much that is more than the best of either with anybody else of the other's video.
        is_sure: each is the other's best, above threshold and margin: what `fer subjects confirm` takes.
    """

    first: str
    second: str
    similarity: float
    margin: float
    is_sure: bool

    @property
    def word(self) -> str:
        """As `fer subjects confirm` takes it."""
        return f"{self.first}={self.second}"


def appearance_folder(project: Project) -> Path:
    """Where embeddings lie while a matching is open."""
    return project.root / _FOLDER


def put_proposals(project: Project, commit: Commit, proposals: Sequence[Proposal]) -> None:
    """Commit the pairs."""
    commit.text(appearance_folder(project) / "pairs.json", json.dumps([asdict(one) for one in proposals]) + "\n")


def read_proposals(project: Project) -> list[Proposal] | None:
    """The pairs of an open matching; None where none is open."""
    path = current_path(project.root, appearance_folder(project) / "pairs.json")
    try:
        return [Proposal(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None


def has_appearance(project: Project) -> bool:
    """Whether embeddings lie there."""
    return appearance_folder(project).exists()


def forget(project: Project, commit: Commit) -> None:
    """Delete the embeddings, the pairs and their sheet."""
    for path in (appearance_folder(project), project.root / SHEET):
        if path.exists():
            commit.delete(path)
