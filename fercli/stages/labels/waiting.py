"""Votes of the labelling page that are on disk and not imported yet: where they lie, how many, and bringing them in."""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fercli.core.commit import current_path
from fercli.core.errors import FerError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.words import counted
from fercli.labels.journal import read_journal

FOLDER = ".fer/running/annotate"
# How much of each journal has been imported, bytes; the journals of a running page are only added to.
TAKEN = "taken.json"


def journal_path(project: Project, annotator: str) -> Path:
    """Where the votes of one annotator (a pseudonym) wait."""
    return project.root / FOLDER / f"{annotator}.jsonl"


def journals(project: Project) -> list[Path]:
    """All journals that there are."""
    return sorted((project.root / FOLDER).glob("*.jsonl"))


def read_taken(project: Project) -> dict[str, int]:
    """How much of each annotator's journal has been imported."""
    try:
        path = current_path(project.root, project.root / FOLDER / TAKEN)
        return {str(name): int(place) for name, place in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def is_waiting(project: Project) -> bool:
    """Whether anything has not been imported yet; reads no journal."""
    paths = journals(project)
    taken = read_taken(project) if paths else {}
    return any(path.stat().st_size > taken.get(path.stem, 0) for path in paths)


def count_waiting(project: Project) -> int:
    """How many votes are on disk and not imported yet."""
    if not is_waiting(project):
        return 0
    taken = read_taken(project)
    parts = [read_journal(path, taken.get(path.stem, 0)) for path in journals(project)]
    return sum(bool(cast.label) for part in parts for cast in part.casts)


def bring_in(project: Project, progress: Progress) -> None:
    """Import what waits, before a command that looks at votes; where that cannot be, say so and go on."""
    if not is_waiting(project):
        return
    work = importlib.import_module("fercli.stages.labels.waiting_work")
    try:
        result = work.take_waiting(project)
    except FerError as error:
        progress.note(
            f"{counted(count_waiting(project), 'vote')} of the labelling page cannot be imported yet: {error}"
        )
        return
    if result is not None:
        lost = f"; {counted(result.num_unmatched, 'vote')} on faces that are gone" if result.num_unmatched else ""
        progress.note(f"{counted(result.num_votes, 'vote')} of the labelling page imported{lost}")


@contextmanager
def page_lock(project: Project) -> Iterator[bool]:
    """Hold the labelling page of a project; whether nobody else does."""
    folder = project.root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
