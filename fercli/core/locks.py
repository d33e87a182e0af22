"""One writer at a time in a project folder, and in the folder of a run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fercli.core.commit import finish_pending
from fercli.core.errors import ProjectError
from fercli.core.files import storage_error, sweep_temporaries

LOCK_NAME = ".lock"
WRITING = ".fer/writing"
# What is written only by who holds the lock; a stage at work in .fer/running sweeps up after itself.
_ROOMS = ("videos", "frames", "faces", "images", "labels", "manifests", "exports")
# What is written without it, one small file at a time: only what is old was left behind.
_SHARED_ROOMS = ("reports", ".fer/stages")
_OLD_S = 3600.0


@contextmanager
def writing_lock(project_root: Path, *, patience_s: float = 0.2) -> Iterator[None]:
    """Hold the project's only writing place; what a killed writer has committed is finished, the rest swept up.

    Raises:
        ProjectError: another process is writing to this project, or nobody may.
    """
    folder = project_root / ".fer"
    lock = FileLock(folder / "lock")
    try:
        folder.mkdir(exist_ok=True)
        lock.acquire(timeout=patience_s)
    except Timeout as error:
        raise ProjectError(
            f"another fer command is using '{project_root}'",
            hint="Wait for it to finish. Read-only commands (status, models, trace) still work.",
        ) from error
    except OSError as error:
        raise storage_error(error, folder / "lock") from error
    # It is still there only when the last writer was killed.
    mark = project_root / WRITING
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
    lock = FileLock(folder / LOCK_NAME)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0.2)
    except Timeout as error:
        raise refusal from error
    except OSError as error:
        raise storage_error(error, folder / LOCK_NAME) from error
    try:
        sweep_temporaries(folder)
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock at `path`, also where nobody but its owner may write."""
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return _is_held_by_another(path)
    lock.release()
    return False


def _is_held_by_another(path: Path) -> bool:
    """Whether somebody holds a lock that this user can only read; a share of it is refused then."""
    if os.name == "nt":
        return True  # a lock cannot be asked without the right to write
    import fcntl  # not on Windows

    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
