"""Write the epochs of a running training as a table, figures and events that can be watched."""

import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fercli.core.errors import SettingsError
from fercli.core.files import replace_bytes
from fercli.core.progress import SILENT, Progress
from fercli.learn.history import EpochRow
from fercli.stages.train.record import draw_history

# Drawing takes about a second, more than an epoch of small data.
_DRAW_EVERY_S = 30.0
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


def check_tensorboard() -> None:
    """Refuse `--tensorboard` before anything is trained where the package is missing.

    Raises:
        SettingsError: with the command that installs it.
    """
    if find_spec("tensorboard") is None:
        raise SettingsError(
            "--tensorboard needs the package 'tensorboard', which is not installed",
            hint="Run: pip install 'fercli[tensorboard]'",
        )


class RunWatcher:
    """Shows a row an epoch, draws curves.png now and then, and writes events for TensorBoard if asked to."""

    def __init__(
        self, folder: Path, *, num_epochs: int, writes_events: bool = False, progress: Progress = SILENT
    ) -> None:
        self.folder, self.writes_events = folder, writes_events
        self._num_epochs, self._progress = num_epochs, progress
        self._events: Any = None  # torch's SummaryWriter, which is imported only if asked for
        self._num_written = 0
        self._drawn_at = time.monotonic()

    def __call__(self, history: Sequence[EpochRow], best: EpochRow | None) -> None:
        """Take the epochs so far in, of which the last is new, and the best of them."""
        self._progress.add_row(_cells(history[-1], self._num_epochs, is_best=history[-1] is best))
        if time.monotonic() - self._drawn_at > _DRAW_EVERY_S:
            self._drawn_at = time.monotonic()
            replace_bytes(self.folder / "curves.png", draw_history(history, None))
        if self.writes_events:
            self._write_events(history)

    def close(self) -> None:
        """Write what waits to be written."""
        if self._events is not None:
            self._events.close()

    def _write_events(self, history: Sequence[EpochRow]) -> None:
        if self._events is None:
            self._events = self._open_events(history)
        for row in history[self._num_written :]:
            for name, tag in _TAGS.items():
                if (value := getattr(row, name)) is not None:
                    self._events.add_scalar(tag, value, row.epoch)
        self._num_written = len(history)
        self._events.flush()

    def _open_events(self, history: Sequence[EpochRow]) -> Any:
        # An extra that need not be installed, and half a second for who does not ask for it.
        from torch.utils.tensorboard import SummaryWriter

        folder = self.folder / "tensorboard"
        self._num_written = len(history) - 1 if folder.exists() else 0
        # A killed process may have written epochs that its last save did not reach: TensorBoard forgets them.
        return SummaryWriter(str(folder), purge_step=self._num_written + 1)


def _cells(row: EpochRow, num_epochs: int, *, is_best: bool) -> dict[str, str]:
    """One row of the table that is shown while a training goes on."""
    judged = {}
    if row.val_loss is not None and row.val_accuracy is not None and row.val_macro_f1 is not None:
        judged = {
            "val loss": f"{row.val_loss:.3f}",
            "val acc": f"{row.val_accuracy:.1%}",
            "val F1": f"{row.val_macro_f1:.1%}",
        }
    return {
        "epoch": f"{row.epoch}/{num_epochs}",
        "train loss": f"{row.train_loss:.3f}",
        "train acc": f"{row.train_accuracy:.1%}",
        **judged,
        "lr": f"{row.lr:.1e}",
        "img/s": f"{row.images_per_s:.0f}",
        "wait": f"{row.data_wait:.0%}",
        "": "best" if is_best else "",
    }
