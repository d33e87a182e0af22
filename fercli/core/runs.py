"""Training runs on disk: names, run.json, which one is the newest, which one can be resumed."""

import dataclasses
import hashlib
import json
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, get_args

from fercli import __version__
from fercli.core.errors import InputError, MissingStageError, ProjectError
from fercli.core.files import read_text, replace_text, sha256_of, slug, sync_folder, unused
from fercli.core.locks import LOCK_NAME, folder_lock, is_held

RunStatus = Literal["running", "finished", "interrupted", "failed"]
RUNS_FOLDER = "runs"
SCHEMA = "fer.run/1"
# The variant of an evaluation on other crops than those of the training (--accept-other-crops).
OTHER_CROPS = "other-crops"
RECORD_FILE = "run.json"
# What the weights of a package of their own are called in place of a run; see `core.baseline`.
BASELINE = "baseline"
_PACKAGES = ("torch", "torchvision", "numpy", "opencv-python-headless", "safetensors")
_MEND = "Restore it, or delete the run folder."


@dataclass(frozen=True)
class RunRecord:
    """What run.json says of a run.

    Args:
        fingerprint: sha256 over `inputs`; two runs with the same fingerprint do the same work.
        inputs: a digest of each thing the run was made from: "settings", "data", "split".
        reason: why the run stopped, in words; empty while it runs.
        decided: what was decided once and is obeyed on resume: device, precision, threads, memory format.
        is_tryout: it saw only the first faces (`--limit`), so nobody means it who names no run.
        study: the variant of `fer ablate` or `fer sweep` that it was trained for: nobody means it by default either.
        result: best epoch and its validation figures, epochs done, seconds.
        cutting: the rules by which the project's faces were cut; None where an older version recorded none.
        begun: rises with each run of the project that is begun; a clock may be set back.
        ended: the same of each that is finished; 0 in records of older versions, and while a run is not finished.
    """

    run_id: str
    model: str
    status: RunStatus
    created_at: str
    fingerprint: str
    name: str = ""
    reason: str = ""
    ended_at: str = ""
    data_set: str = ""
    classes: tuple[str, ...] = ()
    seed: int = 0
    inputs: dict[str, str] = field(default_factory=dict)
    decided: dict[str, object] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    is_tryout: bool = False
    study: str = ""
    result: dict[str, object] = field(default_factory=dict)
    cutting: dict[str, object] | None = None
    begun: int = 0
    ended: int = 0


@dataclass(frozen=True)
class Run:
    """A run folder and its record; a run whose process was killed reads as interrupted.

    Attributes:
        home: of a model that came with a package, where what a project makes of it lies; None for a run.
    """

    folder: Path
    record: RunRecord
    home: Path | None = None

    @property
    def run_id(self) -> str:
        """Name of the run's folder; it stays right when the project is moved or the folder renamed."""
        return self.folder.name

    @property
    def status(self) -> RunStatus:
        """The record's status, save that "running" without a living process is "interrupted"."""
        if self.record.status == "running" and not is_held(self.folder / LOCK_NAME):
            return "interrupted"
        return self.record.status

    @property
    def state_words(self) -> str:
        """The status, and what sets it aside: "finished, try-out", "finished, ablate nm"."""
        return ", ".join(filter(None, (self.status, "try-out" * self.is_tryout, self.record.study)))

    @property
    def is_aside(self) -> bool:
        """Whether only who names it can mean it: a try-out, or a variant of a study."""
        return bool(self.record.study) or self.is_tryout

    @property
    def is_tryout(self) -> bool:
        """Whether it was trained on the first faces only; where an old record does not say so, its settings do."""
        if self.record.is_tryout:
            return True
        try:
            config = tomllib.loads(read_text(self.folder / "config.toml"))
            return config["train"].get("limit") is not None
        except (OSError, ValueError, KeyError, AttributeError):
            return False


def create_run_folder(project_root: Path, model: str, name: str = "", *, now: datetime | None = None) -> Path:
    """Make `runs/<yyyymmdd-hhmmss>-<model>[-name]`; a second run of the same second gets `-2`."""
    parts = [(now or datetime.now()).strftime("%Y%m%d-%H%M%S"), slug(model)] + ([slug(name)] if name else [])
    runs = project_root / RUNS_FOLDER
    runs.mkdir(parents=True, exist_ok=True)
    taken = {folder.name for folder in runs.iterdir()}
    while True:
        folder = runs / unused("-".join(parts), taken)
        try:
            folder.mkdir()
        except FileExistsError:  # another process was faster
            taken.add(folder.name)
        else:
            sync_folder(runs)
            return folder


def sweep_run_folders(project_root: Path) -> None:
    """Take away what trainings left that were killed before they had written anything; call it under the lock."""
    for folder in (project_root / RUNS_FOLDER).glob("*/"):
        is_empty = all(path.name == LOCK_NAME for path in folder.iterdir())
        if is_empty and not is_held(folder / LOCK_NAME):
            shutil.rmtree(folder, ignore_errors=True)


def record_text(record: RunRecord) -> str:
    """The text of run.json."""
    values = {"schema": SCHEMA, **dataclasses.asdict(record)}
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def write_record(folder: Path, record: RunRecord) -> None:
    """Replace the run's run.json."""
    replace_text(folder / RECORD_FILE, record_text(record))


def fail_record(folder: Path, record: RunRecord, reason: str) -> None:
    """Write into run.json that the training failed."""
    write_record(folder, dataclasses.replace(record, status="failed", reason=reason, ended_at=now()))


def now() -> str:
    """The local time with its offset, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def package_versions() -> dict[str, str]:
    """Versions of fercli and of what the numbers depend on; nothing is imported."""
    versions = {"fercli": __version__}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def read_run(folder: Path) -> Run:
    """The run in `folder`.

    Raises:
        ProjectError: run.json is missing, is no JSON or lacks a field.
    """
    path = folder / RECORD_FILE
    try:
        values = json.loads(read_text(path))
    except FileNotFoundError as error:
        raise ProjectError(
            f"'{folder}' is not a run folder: run.json is missing", hint="List the runs with `fer runs`."
        ) from error
    except (OSError, ValueError) as error:
        raise ProjectError(f"'{path}' cannot be read: {error}", hint=_MEND) from error
    return Run(folder, _record_of(values, path))


def list_runs(project_root: Path) -> list[Run]:
    """All runs of the project that can be read, oldest first; other folders are passed over."""
    runs, foreign = [], set(linked_runs(project_root))
    for folder in sorted((project_root / RUNS_FOLDER).glob("*/")):
        if folder in foreign:
            continue
        try:
            runs.append(read_run(folder))
        except ProjectError:
            continue
    return sorted(runs, key=lambda run: (run.record.begun, _moment(run.record.created_at), run.run_id))


def linked_runs(project_root: Path) -> list[Path]:
    """The folders in runs/ that are links out of the project: what they hold is not this project's."""
    links = [folder for folder in sorted((project_root / RUNS_FOLDER).glob("*")) if folder.is_symlink()]
    return [folder for folder in links if not folder.resolve().is_relative_to(project_root.resolve())]


def newest_finished(project_root: Path) -> Run:
    """The run that was finished last, try-outs and variants of studies aside.

    Raises:
        MissingStageError: no run of the project is finished, or only try-outs and variants are.
    """
    finished = [run for run in list_runs(project_root) if run.status == "finished"]
    runs = [run for run in finished if not run.is_aside]
    if not runs and finished:
        newest = max(finished, key=end_order)
        raise MissingStageError(
            f"only {_aside_words(finished)} are finished in this project",
            hint=f"Run: fer train, or name the run: {newest.run_id}",
        )
    if not runs:
        raise MissingStageError("no finished run in this project", hint="Train one with `fer train`.")
    return max(runs, key=end_order)


def _aside_words(runs: list[Run]) -> str:
    tried = ["try-out runs (--limit)"] * any(not run.record.study for run in runs)
    return " and ".join([*tried, *["runs of fer ablate or fer sweep"] * any(run.record.study for run in runs)])


def next_number(project_root: Path, name: Literal["begun", "ended"]) -> int:
    """The number of the next run that is begun, or finished."""
    return 1 + max((getattr(run.record, name) for run in list_runs(project_root)), default=0)


def end_order(run: Run) -> tuple[int, float, str]:
    """A key that puts runs in the order in which they ended; the clock decides only where no number does."""
    return run.record.ended, _moment(run.record.ended_at), run.run_id


def _moment(text: str) -> float:
    """Seconds since 1970: machines in several time zones may share a project, so stamps are no words to sort."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def find_run(project_root: Path, text: str = "") -> Run:
    """The run that `text` names: a folder, an id, the end or start of one id; nothing means the newest finished one.

    Raises:
        InputError: no run, or more than one, is named so.
        MissingStageError: `text` is empty and no run is finished.
    """
    if not text:
        return newest_finished(project_root)
    if (Path(text) / RECORD_FILE).is_file():
        return read_run(Path(text))
    runs = list_runs(project_root)
    exact = [run for run in runs if run.run_id == text]
    found = exact or [run for run in runs if run.run_id.startswith(text) or run.run_id.endswith(text)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(run.run_id for run in (found or runs)) or "none"
    if text == BASELINE and not found:
        raise InputError(
            "the baseline is not a run of this project",
            hint="It works with predict --model, eval, labels suggest and annotate --suggest.",
        )
    what = f"'{text}' matches several runs" if found else f"run '{text}' not found"
    raise InputError(what, hint=f"Available runs: {known}.")


def find_own_run(project_root: Path, text: str = "") -> Run:
    """As `find_run`, but only a run of this project; its folder lies below `project_root` by name too.

    Raises:
        InputError: no such run, or that of another project.
        MissingStageError: `text` is empty and no run is finished.
    """
    found = find_run(project_root, text)
    folder = found.folder.resolve()
    if not folder.is_relative_to(project_root.resolve()):
        raise InputError(f"run '{folder}' belongs to another project", hint="Select that project with -p.")
    return dataclasses.replace(found, folder=project_root / folder.relative_to(project_root.resolve()))


def same_work(project_root: Path, fingerprint: str) -> Run | None:
    """The newest run made from the same inputs; a finished one comes before an interrupted one."""
    alike = [run for run in list_runs(project_root) if run.record.fingerprint == fingerprint]
    for status in ("finished", "interrupted", "running"):
        for run in reversed(alike):
            if run.status == status:
                return run
    return None


def digest(value: object) -> str:
    """sha256 of a value's JSON form, keys sorted; paths and other objects are refused."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def changed_inputs(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names of the inputs whose digests differ, sorted."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Hold a run while it is trained; the hold of a killed process is free again.

    Raises:
        ProjectError: another process trains this run.
    """
    hint = "Wait for it, or start another run with --name or other settings."
    with folder_lock(folder, ProjectError(f"run '{folder.name}' is being trained by another process", hint=hint)):
        yield


def eval_folder(run: Run, split: str, variant: str = "") -> Path:
    """Where an evaluation lies; without a variant, that of the best weights without test-time augmentation."""
    return (run.home or run.folder) / "eval" / (f"{split}-{variant}" if variant else split)


def read_headline(run: Run, split: str) -> dict[str, Any] | None:  # JSON
    """The metrics of a run's best weights without test-time augmentation; None where there are none.

    Older versions wrote every variant to one folder: what is not of these weights is passed over.
    """
    metrics = read_metrics(run, split)
    is_plain = (metrics.get("checkpoint", "best"), metrics.get("test_time", "none")) == ("best", "none")
    return metrics if metrics and is_plain else None


def read_metrics(run: Run, split: str, variant: str = "") -> dict[str, Any]:  # JSON
    """The metrics of one evaluation; empty where there are none that can be read."""
    try:
        metrics = json.loads(read_text(eval_folder(run, split, variant) / "metrics.json"))
    except (OSError, ValueError):
        return {}
    return metrics if isinstance(metrics, dict) else {}


def accuracy_in(metrics: Mapping[str, Any] | None) -> float | None:  # JSON
    """The accuracy that such metrics hold; None where they hold none."""
    entry = metrics.get("accuracy") if metrics else None
    value = entry.get("value") if isinstance(entry, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def own_checkpoint(run: Run, text: str) -> str:
    """`best` or `last` where `text` is the path of the run's own such file, else `text`."""
    folder = (run.folder / "checkpoints").resolve()
    path = Path(text).resolve()
    return path.stem if path.parent == folder and path.name in ("best.safetensors", "last.safetensors") else text


def checkpoint_word(checkpoint: str) -> str:
    """What tells weights apart in the name of a folder: nothing for the best, a digest for a file from elsewhere."""
    if checkpoint in ("best", "last"):
        return "" if checkpoint == "best" else checkpoint
    path = Path(checkpoint)
    return f"{slug(path.stem)}-{sha256_of(path)[:8] if path.is_file() else 'missing'}"


def _record_of(values: object, path: Path) -> RunRecord:
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise ProjectError(
            f"'{path}' is not a {SCHEMA} file", hint="It was written by another program or a newer fercli."
        )
    if values.get("status") not in get_args(RunStatus):
        raise ProjectError(f"'{path}': '{values.get('status')}' is not a run status", hint=_MEND)
    known = {entry.name for entry in dataclasses.fields(RunRecord)}
    given = {name: value for name, value in values.items() if name in known}
    try:
        return RunRecord(**{**given, "classes": tuple(given.get("classes", ()))})
    except TypeError as error:
        raise ProjectError(f"'{path}' lacks a field: {error}", hint=_MEND) from error
