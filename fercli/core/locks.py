"""One writer at a time in a project folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fercli.core.errors import ProjectError
from fercli.core.files import sweep_temporaries

# What is written only by who holds the lock; runs and reports are not.
_ROOMS = ("videos", "frames", "faces", "images", "labels", "manifests", "exports", ".fer/running")


@contextmanager
def writing_lock(project_root: Path) -> Iterator[None]:
    """Hold the project's only writing place; the lock of a killed process is free again, and swept up after.

    Raises:
        ProjectError: another process is writing to this project.
    """
    folder = project_root / ".fer"
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0.2)
    except Timeout as error:
        raise ProjectError(
            f"another fer command is writing to '{project_root}'",
            hint="Wait until it has ended; reading commands (status, models, trace) work meanwhile.",
        ) from error
    # It is still there only when the last writer was killed.
    mark = folder / "writing"
    try:
        if mark.exists():
            for room in _ROOMS:
                sweep_temporaries(project_root / room)
        mark.touch()
        yield
    finally:
        mark.unlink(missing_ok=True)
        lock.release()
