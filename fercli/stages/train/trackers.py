"""Log the settings, epochs and end of a training to experiment trackers on this machine: TensorBoard and MLflow.

Nothing leaves the machine: TensorBoard reads files in the run's folder, MLflow a database in the project. No image, no
face id and nobody's name is logged.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Any, Literal, Protocol, runtime_checkable

from fercli.core.errors import SettingsError
from fercli.core.progress import Progress
from fercli.learn.history import EpochRow

TrackerName = Literal["tensorboard", "mlflow"]
# Measures of an epoch, by the fields of its row.
_TAGS = {
    "train_loss": "loss/train",
    "val_loss": "loss/val",
    "train_accuracy": "accuracy/train",
    "val_accuracy": "accuracy/val",
    "val_macro_f1": "macro-f1/val",
    "lr": "lr",
    "images_per_s": "speed/images_per_s",
    "data_wait": "speed/data_wait",
}
# What the end of a training adds, by the fields of the run's result.
_ENDS = ("epochs", "seconds")
_BESTS = {"epoch": "best/epoch", "val_accuracy": "best/val_accuracy", "val_macro_f1": "best/val_macro_f1"}
_NAMES = {"tensorboard": "TensorBoard", "mlflow": "MLflow"}
# MLflow keeps no longer values.
_MOST_LETTERS = 500


@runtime_checkable
class Tracker(Protocol):
    """What follows a training; it is told in the main process alone."""

    def log(self, history: Sequence[EpochRow]) -> None:
        """Take in the epochs so far; those that are known are passed over."""

    def finish(self, status: str, result: Mapping[str, Any]) -> None:
        """Take in how the training ended: "finished", "interrupted" or "failed", and what run.json says of it."""


def check_trackers(names: Sequence[str]) -> None:
    """Refuse a tracker before anything is trained where its package is missing.

    Raises:
        SettingsError: with the command that installs it.
    """
    for name in names:
        if find_spec(name) is None:
            raise SettingsError(
                f"--log {name} needs the package '{name}', which is not installed",
                hint=f"Run: pip install 'fercli[{name}]'",
            )


def open_trackers(names: Sequence[str], folder: Path, settings: Mapping[str, Any], progress: Progress) -> list[Tracker]:
    """The trackers of a run, by name.

    Args:
        names: of `TrackerName`.
        folder: of the run, in the runs/ of its project.
        settings: what its config.toml holds.
        progress: told when a tracker fails, which ends no training.
    """
    known = _plain_settings(settings)
    kinds: dict[str, Callable[[], Tracker]] = {
        "tensorboard": lambda: _Tensorboard(folder, known),
        "mlflow": lambda: _Mlflow(folder, known),
    }
    return [_Guarded(_NAMES[name], kinds[name], progress) for name in names]


class _Guarded:
    """A tracker whose failure is told once and ends no training: metrics.csv has everything it would have."""

    def __init__(self, name: str, make: Callable[[], Tracker], progress: Progress) -> None:
        self._name, self._make, self._progress = name, make, progress
        self._tracker: Tracker | None = None
        self._has_failed = False

    def log(self, history: Sequence[EpochRow]) -> None:
        self._try(lambda tracker: tracker.log(history))

    def finish(self, status: str, result: Mapping[str, Any]) -> None:
        self._try(lambda tracker: tracker.finish(status, result))

    def _try(self, do: Callable[[Tracker], None]) -> None:
        if self._has_failed:
            return
        try:
            self._tracker = self._tracker or self._make()
            do(self._tracker)
        except Exception as error:  # of another package, which has classes of its own for a full disk or a locked file
            self._has_failed = True
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            self._progress.note(f"{self._name}: logging failed and stops here, the training goes on: {reason}")


class _Tensorboard:
    """Events in the run's tensorboard/."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        # An extra that need not be installed, and half a second for who does not ask for it.
        from torch.utils.tensorboard import SummaryWriter

        self._folder, self._settings, self._writer_class = folder / "tensorboard", settings, SummaryWriter
        self._writer: Any = None
        self._num_written = 0

    def log(self, history: Sequence[EpochRow]) -> None:
        writer = self._opened(len(history))
        for row in history[self._num_written :]:
            for tag, value in _measures(row).items():
                writer.add_scalar(tag, value, row.epoch)
        self._num_written = len(history)
        writer.flush()

    def finish(self, status: str, result: Mapping[str, Any]) -> None:
        num_epochs = int(result.get("epochs") or 0)
        if self._writer is None and not num_epochs:
            return
        writer = self._opened(num_epochs + 1)
        for tag, value in _final_measures(result).items():
            writer.add_scalar(tag, value, self._num_written)
        writer.close()

    def _opened(self, num_epochs: int) -> Any:
        if self._writer is None:
            self._num_written = num_epochs - 1 if self._folder.exists() else 0
            # A killed process may have written epochs that its last save did not reach: TensorBoard forgets them.
            self._writer = self._writer_class(str(self._folder), purge_step=self._num_written + 1)
            rows = "\n".join(f"| {name} | {value} |" for name, value in self._settings.items())
            self._writer.add_text("settings", f"| setting | value |\n|---|---|\n{rows}")
        return self._writer


class _Mlflow:
    """A run in the project's mlflow/mlflow.db, an experiment of which is the project."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        # MLflow sends usage data unless told otherwise before it is imported.
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ["DO_NOT_TRACK"] = "true"
        # It tells of each table that it makes.
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        # An extra that need not be installed, and seconds for who does not ask for it.
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        self._metric = Metric
        root = folder.parent.parent / "mlflow"
        if "?" in str(root):
            raise SettingsError(
                f"MLflow cannot use the folder '{root}': there is a '?' in its name",
                hint="Rename the folder, or log to TensorBoard: --log tensorboard.",
            )
        root.mkdir(exist_ok=True)
        # Said outright: MLFLOW_TRACKING_URI may name a server.
        uri = f"sqlite:///{(root / 'mlflow.db').absolute().as_posix()}"
        self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._run_id = self._begin(folder, root)
        params = [Param(name, value[:_MOST_LETTERS]) for name, value in settings.items()]
        known = self._client.get_run(self._run_id).data.params
        self._client.log_batch(self._run_id, params=[one for one in params if one.key not in known])

    def log(self, history: Sequence[EpochRow]) -> None:
        known = {one.step for one in self._client.get_metric_history(self._run_id, "lr")}
        for row in history:
            # A process that was killed may have logged epochs which are trained once more, with the same result.
            if row.epoch not in known:
                self._log(_measures(row), row.epoch)

    def finish(self, status: str, result: Mapping[str, Any]) -> None:
        self._log(_final_measures(result), int(result.get("epochs") or 0))
        words = {"finished": "FINISHED", "interrupted": "KILLED"}
        self._client.set_terminated(self._run_id, words.get(status, "FAILED"))

    def _begin(self, folder: Path, root: Path) -> str:
        """The run of this folder, gone on with where there is one."""
        name = "fercli"
        experiment = self._client.get_experiment_by_name(name)
        experiment_id = (
            experiment.experiment_id
            if experiment
            else self._client.create_experiment(name, artifact_location=(root / "artifacts").absolute().as_uri())
        )
        found = self._client.search_runs([experiment_id], f"tags.`fer.run` = '{folder.name}'", max_results=1)
        if found:
            run_id = str(found[0].info.run_id)
            self._client.update_run(run_id, status="RUNNING")
            return run_id
        # A client, unlike `mlflow.start_run`, notes neither who runs it nor which script.
        made = self._client.create_run(experiment_id, tags={"fer.run": folder.name}, run_name=folder.name)
        return str(made.info.run_id)

    def _log(self, measures: Mapping[str, float], step: int) -> None:
        moment = int(time.time() * 1000)
        metrics = [self._metric(name, value, moment, step) for name, value in measures.items()]
        self._client.log_batch(self._run_id, metrics=metrics)


def _measures(row: EpochRow) -> dict[str, float]:
    values = {tag: getattr(row, name) for name, tag in _TAGS.items()}
    return {tag: float(value) for tag, value in values.items() if value is not None}


def _final_measures(result: Mapping[str, Any]) -> dict[str, float]:
    best = result.get("best") or {}
    values = {f"final/{name}": result.get(name) for name in _ENDS}
    values |= {tag: best.get(name) for name, tag in _BESTS.items()}
    return {tag: float(value) for tag, value in values.items() if value is not None}


def _plain_settings(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings by their dotted names; a path by its last word alone, for folders may be called after people."""
    found: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= _plain_settings(value, f"{prefix}{name}.")
        elif value not in (None, "", (), []):
            found[f"{prefix}{name}"] = PurePath(value).name if name == "backbone_weights" else str(value)
    return found
