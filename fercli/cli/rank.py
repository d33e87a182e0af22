"""One of the processes of `fer train --procs N`: trains, and leaves files that say how it went for who started it."""

import contextlib
import dataclasses
import io
import json
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from fercli.core import errors
from fercli.core.errors import FerError
from fercli.core.files import storage_error
from fercli.core.progress import SILENT
from fercli.core.project import open_project
from fercli.core.results import Failure
from fercli.stages.train import TrainResult
from fercli.stages.train.settings import read_settings

_RESULT, _ERROR, _TRACEBACK = "result.json", "error-{}.json", "traceback-{}.txt"
# When one process fails the others fail at what they do together, and the first one to end gets the rest killed.
_LAST_WORDS_S = 2.0


@dataclass(frozen=True)
class Told:
    """What the main process knows and the run's record does not say; empty when it did not come to an end."""

    run: str = ""
    was_resumed: bool = False
    warnings: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()


def read_told(folder: Path) -> Told:
    """What the main process left in `folder`."""
    path = folder / _RESULT
    if not path.is_file():
        return Told()
    values = json.loads(path.read_text(encoding="utf-8"))
    failures = tuple(Failure(**failure) for failure in values["failures"])
    return Told(values["run"], values["was_resumed"], tuple(values["warnings"]), failures)


def read_error(folder: Path) -> FerError | None:
    """What a process left that a user can mend; of several the same is expected, and the first one's is taken."""
    for path in sorted(folder.glob(_ERROR.format("*"))):
        values = json.loads(path.read_text(encoding="utf-8"))
        error: FerError = getattr(errors, values["kind"])(values["message"], hint=values["hint"])
        return error
    return None


def read_tracebacks(folder: Path) -> str:
    """Where the processes failed otherwise, all that is known of it."""
    paths = sorted(folder.glob(_TRACEBACK.format("*")))
    return "".join(f"process {path.stem.split('-')[1]}: {path.read_text(encoding='utf-8')}" for path in paths)


def work(words: list[str]) -> int:
    """Train as one of the processes: `fercli.cli.rank PROJECT CONFIG RESUME FORCE`."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stderr = _Screen(sys.stderr.buffer, sys.stderr.encoding, sys.stderr.errors, line_buffering=True)
    folder = Path(words[1]).parent
    try:
        _train(words, folder)
    except KeyboardInterrupt:
        return 0  # saved; the parent reads it in the run's record
    except Exception as error:  # each is told by the parent
        return _tell_failure(error, folder)
    return 0


class _Screen(io.TextIOWrapper):
    """A terminal that may have been closed, which must not end a training that is being saved."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


def _end_with_parent() -> None:
    """Stop as SIGTERM would when stdin ends, as it does when the parent closes it, and also when that is killed."""
    # Not by sys.stdin, whose lock a waiting thread would hold while Python ends.
    while os.read(0, 1):
        pass
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        os._exit(0)  # the training has not begun, or is recorded: nothing is to be saved
    signal.raise_signal(signal.SIGTERM)


def _train(words: list[str], folder: Path) -> None:
    # Torch and the bar are loaded here: the process that only reads what this one left needs neither.
    from fercli.cli.progress import make_progress
    from fercli.stages.train.work import train_together

    root, config, resume, force = words
    settings = read_settings(Path(config).read_text(encoding="utf-8"))
    is_main = _rank() == 0
    with make_progress("plain" if is_main else "none") as shown:
        progress = shown if is_main else SILENT
        project = open_project(Path(root))
        result = train_together(project, settings, resume, progress=progress, force=bool(force))
    if is_main:
        _tell(result, folder)


def _tell(result: TrainResult, folder: Path) -> None:
    told = Told(result.run, result.was_resumed, result.warnings, result.failures)
    _write(folder / _RESULT, json.dumps(dataclasses.asdict(told)))


def _tell_failure(error: Exception, folder: Path) -> int:
    if isinstance(error, OSError) and error.filename:
        error = storage_error(error, Path(os.fsdecode(error.filename)))
    if isinstance(error, FerError):
        values = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
        _write(folder / _ERROR.format(_rank()), json.dumps(values))
        return error.exit_code
    _write(folder / _TRACEBACK.format(_rank()), "".join(traceback.format_exception(error)))
    time.sleep(_LAST_WORDS_S)
    return 1


def _write(path: Path, text: str) -> None:
    # The parent, and with it the folder, may be gone.
    with contextlib.suppress(FileNotFoundError):
        path.write_text(text, encoding="utf-8")


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


if __name__ == "__main__":
    sys.exit(work(sys.argv[1:]))
