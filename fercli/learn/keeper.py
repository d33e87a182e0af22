"""Save a training's weights, history and state so that a kill costs little and loses nothing."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from torch import Tensor, nn
from torch.optim import Optimizer

from fercli.learn.checkpoints import save_checkpoint, save_state
from fercli.learn.ema import WeightAverage
from fercli.learn.history import EpochRow, write_history
from fercli.learn.norms import plain_state
from fercli.learn.state import Standing, snapshot


class Keeper:
    """Sets the weights of good epochs aside and writes them together with the state; only in the main process."""

    def __init__(
        self, folder: Path, meta: Mapping[str, object], *, is_writing: bool, pretrained: Collection[str] = ()
    ) -> None:
        self.folder, self.meta, self.is_writing = folder, meta, is_writing
        # Whoever goes on from a state has all weights, but not the file that says which of them were pretrained.
        self.pretrained = list(pretrained)
        self.checkpoints = folder / "checkpoints"
        self.saved_at = time.monotonic()
        self._kept: dict[str, tuple[dict[str, Tensor], dict[str, object]]] = {}

    @property
    def unsaved_s(self) -> float:
        """Seconds of work that a kill would cost now."""
        return time.monotonic() - self.saved_at

    def keep(self, name: str, row: EpochRow, model: nn.Module, *, is_average: bool) -> None:
        """Set the weights after the epoch of `row` aside for `name`; they are written with the next save."""
        # Seconds and rates differ from run to run, and equal trainings must write equal files.
        reproducible = replace(row, seconds=0.0, images_per_s=0.0, data_wait=0.0, cpu_s=0.0)
        meta = {**self.meta, "epoch": row.epoch, "metrics": asdict(reproducible), "is_average": is_average}
        self._kept[name] = (plain_state(model), meta)

    def write_weights(self, history: Sequence[EpochRow]) -> None:
        """Write what was set aside, and metrics.csv."""
        if not self.is_writing:
            return
        for name, (tensors, meta) in self._kept.items():
            save_checkpoint(self.checkpoints / f"{name}.safetensors", tensors, meta)
        self._kept = {}
        write_history(self.folder / "metrics.csv", history)

    def save(
        self,
        standing: Standing,
        model: nn.Module,
        optimizer: Optimizer,
        average: WeightAverage | None,
        *,
        steps_per_epoch: int,
    ) -> None:
        """Write everything, so that a process killed right after goes on from here."""
        # Weights first: a process killed in between repeats the epochs after the older state and writes the same ones.
        if self.is_writing:
            self.write_weights(standing.history)
            tensors, meta = snapshot(standing, model, optimizer, average)
            position = standing.position(steps_per_epoch)
            save_state(self.checkpoints, tensors, {**meta, "position": position, "pretrained": self.pretrained})
        self.saved_at = time.monotonic()
