"""`fer train --procs N`: the same training in several processes, which torchrun starts and which end with this one."""

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fercli.cli.options import Call
from fercli.cli.rank import Told, read_error, read_told, read_tracebacks
from fercli.core.errors import CheckError, FerError, SettingsError, UsageError
from fercli.core.runs import Run, fail_record, list_runs
from fercli.stages.train import TrainResult, TrainSettings, train
from fercli.stages.train.result import record_result, stopped_by_clock
from fercli.stages.train.settings import given_text


def is_launched() -> bool:
    """Whether torchrun started this process as one of several; a user's own torchrun or Slurm line does."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_main_process() -> bool:
    """Whether this is the process that talks."""
    return os.environ.get("RANK", "0") == "0"


def train_in_processes(call: Call, settings: TrainSettings, resume: str) -> TrainResult:
    """Start the processes, wait for them, tell what the run says of itself.

    Raises:
        FerError: what a process met that a user can mend; or one died, and the same command goes on from the last save.
        KeyboardInterrupt: a signal came; the processes have saved.
    """
    planned = train(call.project, settings, resume=resume, force=call.force, dry_run=True)
    if planned.is_unchanged or call.dry_run:
        return planned
    before = {run.run_id: _written_at(run) for run in list_runs(call.project.root)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "config.toml"
        config.write_text(given_text(settings), encoding="utf-8")
        words = [str(call.project.root), str(config), resume, "force" if call.force else ""]
        end = _run_workers(settings.procs, words)
        told = read_told(folder)
        run = _changed_run(call.project.root, before, told)
        _check_end(run, end, folder)
    return _result(run, end, told)


@dataclasses.dataclass(frozen=True)
class _End:
    """How torchrun ended, and whether the processes had been asked to."""

    code: int
    was_asked: bool


def _run_workers(num: int, words: list[str]) -> _End:
    command = [sys.executable, "-m", "fercli.learn.launcher", "--standalone", f"--nproc-per-node={num}"]
    with _signals_as_interrupts():
        # A group of its own: a Ctrl-C reaches the processes once, from here, and not a second time from the terminal,
        # which would make them leave without saving.
        # Python itself and our own module; the words are settings, never a shell's.
        workers = subprocess.Popen(  # noqa: S603
            [*command, "-m", "fercli.cli.rank", *words],
            start_new_session=True,
            stdin=subprocess.PIPE,  # says nothing; its end tells the processes to save and leave
            stdout=2,  # stderr: stdout is for the JSON object
            # torch warns on every rank that no parameter went unused; whether one does depends on the network.
            # A validation is finished before they leave: torchrun would kill them after 30 seconds.
            env={"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "600", **os.environ, "TORCH_CPP_LOG_LEVEL": "ERROR"},
        )
        try:
            return _End(workers.wait(), was_asked=False)
        except KeyboardInterrupt:
            return _End(_stop(workers), was_asked=True)
        finally:
            _close_stdin(workers)


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Make of SIGTERM, and of SIGHUP where there is one, the KeyboardInterrupt that Ctrl-C is."""

    def interrupt(number: int, frame: object) -> None:
        if number != signal.SIGTERM:
            # A closed terminal sends it, and the shell in it once more; that is no second request.
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    found = (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP"))
    # `nohup` starts a command with SIGHUP ignored.
    before = {number: signal.getsignal(number) for number in found if number is not None}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(workers: subprocess.Popen[bytes]) -> int:
    """Let the processes save and end; a second Ctrl-C ends them without."""
    _close_stdin(workers)
    try:
        return workers.wait()
    except KeyboardInterrupt:
        workers.terminate()
        return workers.wait()


def _close_stdin(workers: subprocess.Popen[bytes]) -> None:
    if workers.stdin:
        workers.stdin.close()


def _changed_run(root: Path, before: Mapping[str, int], told: Told) -> Run | None:
    """The run that the processes began or went on with."""
    runs = [run for run in list_runs(root) if _written_at(run) != before.get(run.run_id)]
    # Another training may have begun in the project meanwhile.
    runs = [run for run in runs if run.run_id == told.run] or runs
    return runs[-1] if runs else None


def _written_at(run: Run) -> int:
    # The record of a killed run that goes on is written anew with the same words.
    return (run.folder / "run.json").stat().st_mtime_ns


def _check_end(run: Run | None, end: _End, folder: Path) -> None:
    """Raise what a process left in `folder` for the user; show what it left for who mends the program.

    The words of the others are kept back then: each dies of having lost the one that failed.
    """
    if error := read_error(folder):
        # The main process, which writes the record, may have been one of those others.
        is_refused = isinstance(error, CheckError | UsageError | SettingsError)
        if run and is_refused and run.record.status == "running" and run.status == "interrupted":
            fail_record(run.folder, run.record, error.message)
        raise error
    if not end.was_asked:
        print(read_tracebacks(folder), end="", file=sys.stderr)


def _result(run: Run | None, end: _End, told: Told) -> TrainResult:
    if run is None:
        if end.was_asked:
            raise KeyboardInterrupt
        raise FerError(f"the training processes ended with code {end.code}", hint="What they said stands above.")
    result = record_result(
        run.folder, run.record, was_resumed=told.was_resumed, warnings=told.warnings, failures=told.failures
    )
    if run.status == "finished":
        return result
    if run.status == "failed":
        raise CheckError(run.record.reason, hint="Train again with other settings.")
    if run.record.reason == "time limit":
        stop = stopped_by_clock(run.run_id, result.epochs)
        return result if told.run else dataclasses.replace(result, failures=(stop,))
    if end.was_asked or run.record.reason == "interrupted":
        raise KeyboardInterrupt
    raise FerError(
        f"a process of run '{run.run_id}' died (code {end.code})", hint="The same command goes on from the last save."
    )
