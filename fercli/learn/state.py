"""Save and restore the state of a training, bit for bit."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import inf, isnan

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fercli.learn.checkpoints import Checkpoint, copy_into
from fercli.learn.ema import WeightAverage
from fercli.learn.evaluate import Validation
from fercli.learn.history import EpochRow
from fercli.learn.recipe import Metric


@dataclass
class Standing:
    """How far a training is: whole epochs, steps of the present one, and what they brought.

    `loss_sum`, `num_right` and `num_seen` are of the present epoch; `work_s` and `wait_s` are its seconds of training
    and of waiting for crops, `cpu_s` the processor time of both.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    num_right: float = 0.0
    num_seen: int = 0
    work_s: float = 0.0
    wait_s: float = 0.0
    cpu_s: float = 0.0
    epochs_since_best: int = 0
    best: EpochRow | None = None
    history: list[EpochRow] = field(default_factory=list)

    def count(self, num_faces: int, loss_sum: float, num_right: float, seconds: float) -> None:
        """Take a finished step in; `loss_sum` is over its faces."""
        self.step += 1
        self.loss_sum += loss_sum
        self.num_right += num_right
        self.num_seen += num_faces
        self.work_s += seconds

    @property
    def mean_loss(self) -> float:
        """Mean training loss of the present epoch so far."""
        return self.loss_sum / max(1, self.num_seen)

    @property
    def images_per_s(self) -> float:
        """Faces trained on per second, waiting included."""
        return self.num_seen / max(1e-9, self.work_s + self.wait_s)

    @property
    def data_wait(self) -> float:
        """Share of the epoch's time that went into waiting for crops."""
        return self.wait_s / max(1e-9, self.work_s + self.wait_s)

    def row(self, validation: Validation | None, lr: float) -> EpochRow:
        """The present epoch, finished, as a row of metrics.csv (epochs count from 1)."""
        return EpochRow(
            epoch=self.epoch + 1,
            train_loss=self.mean_loss,
            train_accuracy=self.num_right / max(1, self.num_seen),
            val_loss=validation.loss if validation else None,
            val_accuracy=validation.accuracy if validation else None,
            val_macro_f1=validation.macro_f1 if validation else None,
            lr=lr,
            seconds=round(self.work_s + self.wait_s, 3),
            images_per_s=round(self.images_per_s, 1),
            data_wait=round(self.data_wait, 4),
            cpu_s=round(self.cpu_s, 1),
        )

    def takes_best(self, row: EpochRow, metric: Metric) -> bool:
        """Make `row` the best if it is better than the best so far; whether it was."""
        is_better = self.best is None or _rank(row, metric) > _rank(self.best, metric)
        self.epochs_since_best = 0 if is_better else self.epochs_since_best + 1
        self.best = row if is_better else self.best
        return is_better

    def next_epoch(self, row: EpochRow) -> None:
        """Close the present epoch."""
        self.history.append(row)
        self.epoch, self.step = self.epoch + 1, 0
        self.loss_sum = self.num_right = self.work_s = self.wait_s = self.cpu_s = 0.0
        self.num_seen = 0

    def position(self, steps_per_epoch: int) -> int:
        """Steps done since the training began."""
        return self.epoch * steps_per_epoch + self.step


def snapshot(
    standing: Standing, model: nn.Module, optimizer: Optimizer, average: WeightAverage | None
) -> tuple[dict[str, Tensor], dict[str, object]]:
    """All that is needed to go on, as tensors and plain values."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for place, (_, values) in enumerate(_optimizer_entries(optimizer)):
        tensors |= {f"optimizer.{place}.{key}": value for key, value in values.items() if isinstance(value, Tensor)}
    meta: dict[str, object] = {"standing": asdict(standing)}
    if average:
        tensors |= {f"average.{name}": value for name, value in average.model.state_dict().items()}
        meta["average_updates"] = average.num_updates
    return tensors, meta


@torch.no_grad()
def restore(state: Checkpoint, model: nn.Module, optimizer: Optimizer, average: WeightAverage | None) -> Standing:
    """Put a snapshot's tensors back into their places; where the training stands comes back."""
    model.load_state_dict(_under("model.", state.tensors))
    if average:
        average.model.load_state_dict(_under("average.", state.tensors))
        average.num_updates = state.meta["average_updates"]
    for place, (parameter, _) in enumerate(_optimizer_entries(optimizer)):
        values = _under(f"optimizer.{place}.", state.tensors)
        if values:
            optimizer.state[parameter] = {key: _like(parameter, value) for key, value in values.items()}
    plain = dict(state.meta["standing"])
    best = EpochRow(**plain.pop("best")) if plain["best"] else plain.pop("best")
    history = [EpochRow(**row) for row in plain.pop("history")]
    return Standing(**plain, best=best, history=history)


def _optimizer_entries(optimizer: Optimizer) -> list[tuple[nn.Parameter, dict[str, object]]]:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return [(parameter, optimizer.state.get(parameter, {})) for parameter in parameters]


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _like(parameter: nn.Parameter, value: Tensor) -> Tensor:
    # Moments take their parameter's memory format and device; fused updates on a GPU read the step counter there too.
    return copy_into(parameter, value) if value.shape == parameter.shape else value.to(parameter.device, copy=True)


def _rank(row: EpochRow, metric: Metric) -> tuple[float, float]:
    """Larger is better; equal metrics are told apart by the loss, and without val the later epoch is better."""
    if row.val_loss is None or row.val_accuracy is None or row.val_macro_f1 is None:
        return (float(row.epoch), 0.0)
    # What is no number compares with nothing, and would stay the best for ever.
    loss = inf if isnan(row.val_loss) else row.val_loss
    value = {"accuracy": row.val_accuracy, "macro-f1": row.val_macro_f1, "loss": -loss}[metric]
    return (value, -loss)
