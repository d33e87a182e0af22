"""One writer at a time in a project folder, and in the folder of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fercli.core.commit import finish_pending
from fercli.core.errors import ProjectError
from fercli.core.files import sweep_temporaries

LOCK_NAME = ".lock"
# What is written only by who holds the lock; a stage at work in .fer/running sweeps up after itself.
_ROOMS = ("videos", "frames", "faces", "images", "labels", "manifests", "exports")
# What is written without it, one small file at a time: only what is old was left behind.
_SHARED_ROOMS = ("reports", ".fer/stages")
_OLD_S = 3600.0


@contextmanager
def writing_lock(project_root: Path, *, patience_s: float = 0.2) -> Iterator[None]:
    """Hold the project's only writing place; what a killed writer has committed is finished, the rest swept up.

    Raises:
        ProjectError: another process is writing to this project.
    """
    folder = project_root / ".fer"
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=patience_s)
    except Timeout as error:
        raise ProjectError(
            f"another fer command is using '{project_root}'",
            hint="Wait for it to finish. Read-only commands (status, models, trace) still work.",
        ) from error
    # It is still there only when the last writer was killed.
    mark = folder / "writing"
    try:
        finish_pending(project_root)
        if mark.exists():
            for room in _ROOMS:
                sweep_temporaries(project_root / room)
            for room in _SHARED_ROOMS:
                sweep_temporaries(project_root / room, older_than_s=_OLD_S)
        mark.touch()
        yield
    finally:
        mark.unlink(missing_ok=True)
        lock.release()


@contextmanager
def folder_lock(folder: Path, refusal: ProjectError) -> Iterator[None]:
    """Hold one folder, made if need be; what a killed holder left half-written in it is swept up.

    Args:
        folder: of a run, or a part of it.
        refusal: raised when another process holds the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_NAME)
    try:
        lock.acquire(timeout=0.2)
    except Timeout as error:
        raise refusal from error
    try:
        sweep_temporaries(folder)
        yield
    finally:
        lock.release()
