"""Write the epochs of a running training as a table, figures and events that can be watched."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fercli.core.files import replace_bytes
from fercli.core.progress import SILENT, Progress
from fercli.learn.history import EpochRow
from fercli.stages.train.record import draw_history
from fercli.stages.train.trackers import Tracker

# Drawing takes about a second, more than an epoch of small data.
_DRAW_EVERY_S = 30.0


class RunWatcher:
    """Shows a row an epoch, draws curves.png now and then, and tells the experiment trackers."""

    def __init__(
        self, folder: Path, *, num_epochs: int, trackers: Sequence[Tracker] = (), progress: Progress = SILENT
    ) -> None:
        self.folder, self.trackers = folder, trackers
        self._num_epochs, self._progress = num_epochs, progress
        self._drawn_at = time.monotonic()

    def __call__(self, history: Sequence[EpochRow], best: EpochRow | None) -> None:
        """Take the epochs so far in, of which the last is new, and the best of them."""
        self._progress.add_row(_cells(history[-1], self._num_epochs, is_best=history[-1] is best))
        if time.monotonic() - self._drawn_at > _DRAW_EVERY_S:
            self._drawn_at = time.monotonic()
            replace_bytes(self.folder / "curves.png", draw_history(history, None))
        for tracker in self.trackers:
            tracker.log(history)

    def finish(self, status: str, result: Mapping[str, Any]) -> None:
        """Tell the trackers how the training ended; see `Tracker.finish`."""
        for tracker in self.trackers:
            tracker.finish(status, result)


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
