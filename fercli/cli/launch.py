"""`fer train --procs N`: the same training in several processes, which torchrun starts, watches and stops."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fercli.cli.options import Call
from fercli.core.errors import CheckError, FerError
from fercli.core.results import Failure
from fercli.core.runs import RunRecord, list_runs
from fercli.stages.train import train
from fercli.stages.train_result import TrainResult, record_result, stopped_by_clock
from fercli.stages.train_settings import TrainSettings, given_text, read_settings

# What the main process leaves for the one that started it.
_TOLD = "told.json"


def is_launched() -> bool:
    """Whether torchrun started this process as one of several; a user's own torchrun or Slurm line does."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_main_process() -> bool:
    """Whether this is the process that talks."""
    return os.environ.get("RANK", "0") == "0"


def train_in_processes(call: Call, settings: TrainSettings, resume: str) -> TrainResult:
    """Start the processes, wait for them, tell what the run says of itself.

    Raises:
        CheckError: the training diverged.
        FerError: a process died; the same command goes on from the last save.
        KeyboardInterrupt: a signal came; the processes have saved.
    """
    planned = train(call.project, settings, resume=resume, force=call.force, dry_run=True)
    if planned.is_unchanged or call.dry_run:
        return planned
    before = {run.run_id: run.record for run in list_runs(call.project.root)}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.toml"
        config.write_text(given_text(settings), encoding="utf-8")
        words = [str(call.project.root), str(config), resume, "force" if call.force else ""]
        code = _run_workers(settings.procs, words)
        return _outcome(call, before, code, _told(Path(folder)))


def work(words: list[str]) -> int:
    """One of the processes: `fercli.cli.launch PROJECT CONFIG RESUME FORCE`."""
    from fercli.cli.progress import make_progress
    from fercli.core.progress import SILENT
    from fercli.core.project import open_project

    root, config, resume, force = words
    settings = read_settings(Path(config).read_text(encoding="utf-8"))
    try:
        with make_progress("plain" if is_main_process() else "none") as shown:
            progress = shown if is_main_process() else SILENT
            project = open_project(Path(root))
            result = train(project, settings, resume=resume, force=bool(force), progress=progress, is_shared=True)
        if is_main_process():
            _tell(result, Path(config).parent)
    except KeyboardInterrupt:
        return 0  # saved; the parent reads it in the run's record
    except FerError as error:
        if is_main_process():
            print(f"fer: {error.message}", file=sys.stderr)
        return error.exit_code
    return 0


def _run_workers(num: int, words: list[str]) -> int:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num}"]
    # A group of its own: a Ctrl-C then reaches the processes once, from torchrun, and not a second time from the
    # terminal, which would make them leave without saving.
    workers = subprocess.Popen(
        [*command, "-m", "fercli.cli.launch", *words],
        start_new_session=True,
        stdout=2,  # stderr: stdout is for the JSON object
        # torch warns on every rank that no parameter went unused; whether one does depends on the network.
        # A validation is finished before they leave: torchrun would kill them after 30 seconds.
        env={"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "600", **os.environ, "TORCH_CPP_LOG_LEVEL": "ERROR"},
    )
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return workers.wait()
    except KeyboardInterrupt:
        workers.terminate()
        return workers.wait()
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclasses.dataclass(frozen=True)
class _Told:
    """What the main process knows and the run's record does not say."""

    run: str = ""
    was_resumed: bool = False
    warnings: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()


def _tell(result: TrainResult, folder: Path) -> None:
    told = _Told(result.run, result.was_resumed, result.warnings, result.failures)
    (folder / _TOLD).write_text(json.dumps(dataclasses.asdict(told)), encoding="utf-8")


def _told(folder: Path) -> _Told:
    path = folder / _TOLD
    if not path.is_file():
        return _Told()
    values = json.loads(path.read_text(encoding="utf-8"))
    failures = tuple(Failure(**failure) for failure in values["failures"])
    return _Told(values["run"], values["was_resumed"], tuple(values["warnings"]), failures)


def _outcome(call: Call, before: Mapping[str, RunRecord], code: int, told: _Told) -> TrainResult:
    runs = [run for run in list_runs(call.project.root) if run.record != before.get(run.run_id)]
    # Another training may have begun in the project meanwhile.
    runs = [run for run in runs if run.run_id == told.run] or runs
    if not runs:
        raise FerError(f"the training processes ended with code {code}", hint="What they said stands above.")
    run = runs[-1]
    more = {"was_resumed": told.was_resumed, "warnings": told.warnings, "failures": told.failures}
    result = record_result(run.folder, run.record, **more)
    if run.status == "finished":
        return result
    if run.status == "failed":
        raise CheckError(run.record.reason, hint="Train again with other settings.")
    if run.record.reason == "time limit":
        return (
            result if told.run else dataclasses.replace(result, failures=(stopped_by_clock(run.run_id, result.epochs),))
        )
    if run.record.reason == "interrupted":
        raise KeyboardInterrupt
    raise FerError(
        f"a process of run '{run.run_id}' died (code {code})", hint="The same command goes on from the last save."
    )


if __name__ == "__main__":
    sys.exit(work(sys.argv[1:]))
