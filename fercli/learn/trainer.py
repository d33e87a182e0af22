"""A model, crops and a plan to trained weights: the one loop for every network and every objective."""

import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from fercli.core.errors import CheckError, UsageError
from fercli.core.progress import SILENT, Progress
from fercli.data.dataset import CropSource
from fercli.data.loaders import balanced_weights, epoch_batches
from fercli.data.transforms import InputFormat
from fercli.learn.checkpoints import drop_state, load_state, save_checkpoint, save_state
from fercli.learn.device import Machine, apply_threads
from fercli.learn.ema import WeightAverage
from fercli.learn.evaluate import Validation, validate
from fercli.learn.history import EpochRow, write_history
from fercli.learn.norms import add_norms, plain_state
from fercli.learn.recipe import Plan
from fercli.learn.state import Standing, restore, snapshot
from fercli.learn.step import StepMaker
from fercli.learn.stopping import stop_request
from fercli.learn.world import ALONE, World

# A kill costs at most this much work, within an epoch and between epochs that are shorter.
_SAVE_EVERY_S = 300.0
_SAVE_SHORT_EPOCHS_EVERY_S = 5.0


@dataclass(frozen=True)
class Faces:
    """Crops with their targets, in the same order; `soft_targets` are what is learnt where they are given."""

    crops: CropSource
    targets: Int64[np.ndarray, " faces"]
    soft_targets: Float32[np.ndarray, "faces classes"] | None = None


@dataclass(frozen=True)
class FitResult:
    """How a training ended; `best` is the row of the epoch whose weights are kept as best."""

    status: Literal["finished", "interrupted"]
    reason: str
    history: tuple[EpochRow, ...]
    best: EpochRow | None
    was_resumed: bool


def fit(
    model: nn.Module,
    train: Faces,
    val: Faces | None,
    plan: Plan,
    *,
    form: InputFormat,
    machine: Machine,
    seed: int,
    folder: Path,
    meta: dict[str, object],
    pretrained: Collection[str] = (),
    time_limit_s: float | None = None,
    world: World = ALONE,
    progress: Progress = SILENT,
) -> FitResult:
    """Train `model` and keep the best and the last weights; a run that was stopped goes on where it was.

    Everything random is drawn from (seed, epoch, step), so an interrupted and resumed training ends with the same
    bits as one that was not, on the same machine with the same number of threads. The best epoch is the one with the
    best `plan.metric` on val, ties broken by the lower loss; without val faces it is the last.

    SIGINT and SIGTERM end the step at hand, save and return "interrupted"; a second one raises KeyboardInterrupt.

    Args:
        model: with the weights to start from; it is moved to the device and changed, take the result from the run.
        train: what is learnt.
        val: what the best epoch is chosen on; never seen by the optimiser.
        plan: how.
        form: what the network is fed.
        machine: where, in which precision.
        seed: of order, augmentation and dropout.
        folder: the run; metrics.csv and checkpoints/ are written into it.
        meta: goes into each checkpoint: what is needed to build the model again.
        pretrained: names of parameters that came from a file, for the plan's freezing.
        time_limit_s: stop after this long, saved, to be resumed.
        world: the processes that share each batch and the validation; only the main one writes.
        progress: told of every step.

    Raises:
        CheckError: the loss is no number or grows without bound; the best weights so far are kept.
        InputError: the saved state is damaged.
    """
    return _Fit(
        model, train, val, plan, form, machine, seed, folder, meta, pretrained, time_limit_s, world, progress
    ).run()


class _Fit:
    """One training; the fields that change are `standing`, the model, the optimiser and the average."""

    def __init__(
        self,
        model: nn.Module,
        train: Faces,
        val: Faces | None,
        plan: Plan,
        form: InputFormat,
        machine: Machine,
        seed: int,
        folder: Path,
        meta: dict[str, object],
        pretrained: Collection[str],
        time_limit_s: float | None,
        world: World,
        progress: Progress,
    ) -> None:
        self.train, self.val, self.plan, self.form, self.machine = train, val, plan, form, machine
        self.seed, self.folder, self.meta, self.world, self.progress = seed, folder, meta, world, progress
        self.deadline = time.monotonic() + (time_limit_s if time_limit_s else float("inf"))
        self.checkpoints = folder / "checkpoints"
        orders = self._batches(0)
        self.steps_per_epoch = len(orders)
        if min(len(order) for order in orders) < world.size:
            raise UsageError(
                f"batches of {plan.batch_size} cannot be shared by {world.size} processes",
                hint="Take a larger --batch-size, or fewer processes.",
            )
        apply_threads(machine)
        self.model = model.to(machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this form
        if plan.adds_norms:
            add_norms(self.model)
        self.average = WeightAverage(self.model, plan.ema_decay) if plan.ema_decay else None
        self.step_maker = StepMaker(
            self.model,
            plan,
            form,
            machine,
            seed=seed,
            class_counts=self._counts(),
            steps_per_epoch=self.steps_per_epoch,
            pretrained=pretrained,
            world=world,
        )
        self.standing = Standing()
        self.kept: dict[str, tuple[dict[str, Tensor], dict[str, object]]] = {}
        self.saved_at = time.monotonic()

    def run(self) -> FitResult:
        """Epoch by epoch until the plan, patience, the clock or a signal ends it."""
        state = self.world.from_main(lambda: load_state(self.checkpoints))
        if state is not None:
            self.standing = restore(state, self.model, self.step_maker.optimizer, self.average)
        self._announce()
        stop = ""
        try:
            with stop_request() as is_stopping:
                while not stop and not self._ended():
                    stop = self._train_epoch(is_stopping)
                    if not stop:
                        self._end_epoch()
        except CheckError:
            self._write_weights()
            raise
        self._save()
        if stop:
            return self._result("interrupted", stop, state is not None)
        if self.world.is_main:
            drop_state(self.checkpoints)
        return self._result("finished", self._ended(), state is not None)

    def _train_epoch(self, is_stopping: Callable[[], bool]) -> str:
        """Go through the rest of the epoch; why it was broken off, or nothing."""
        standing = self.standing
        orders = self._batches(standing.epoch)[standing.step :]
        self.step_maker.begin_epoch(standing.epoch)
        shares = [self.world.share(order) for order in orders]
        batches = self.train.crops.batches(shares)
        asked_at, cpu_before = time.monotonic(), time.process_time()
        for order, share, images in zip(orders, shares, batches, strict=True):
            now = time.monotonic()
            standing.wait_s += now - asked_at
            place = (standing.epoch, standing.step)
            own_loss, own_right = self.step_maker.step(images, self._targets(share), *place, num_all=len(order))
            if self.average:
                self.average.update()
            asked_at = time.monotonic()
            is_late = self.world.is_main and asked_at > self.deadline
            loss, num_right, stops, late = self.world.sums(own_loss, own_right, is_stopping(), is_late)
            standing.count(len(order), loss, num_right, asked_at - now)
            cpu_now = time.process_time()
            standing.cpu_s, cpu_before = standing.cpu_s + cpu_now - cpu_before, cpu_now
            self._show(loss / len(order))
            if standing.step < self.steps_per_epoch:
                if stops or late:
                    return "interrupted" if stops else "time limit"
                if asked_at - self.saved_at > _SAVE_EVERY_S:
                    self._save()
                    asked_at = self.saved_at
        return ""

    def _end_epoch(self) -> None:
        standing = self.standing
        first_loss = standing.history[0].train_loss if standing.history else standing.mean_loss
        self.step_maker.check_epoch(standing.mean_loss, first_loss, standing.epoch)
        row = standing.row(self._validate(), self.step_maker.last_lr)
        if standing.takes_best(row, self.plan.metric):
            self._keep("best", row)
        self._keep("last", row)
        standing.next_epoch(row)
        if time.monotonic() - self.saved_at > _SAVE_SHORT_EPOCHS_EVERY_S:
            self._save()

    def _ended(self) -> str:
        standing = self.standing
        if standing.epoch >= self.plan.epochs:
            return "all epochs done"
        if self.val and self.plan.patience and standing.epochs_since_best >= self.plan.patience:
            return f"no better {self.plan.metric} on val for {self.plan.patience} epochs"
        return ""

    def _validate(self) -> Validation | None:
        if self.val is None:
            return None
        model = self.average.model if self.average else self.model
        self.world.share_buffers(model)
        return validate(
            model,
            self.val.crops,
            self.val.targets,
            form=self.form,
            machine=self.machine,
            num_classes=self.step_maker.num_classes,
            batch_size=max(64, self.plan.batch_size),
            world=self.world,
        )

    def _keep(self, name: str, row: EpochRow) -> None:
        """Set this epoch's weights aside for `name`; they are written with the next save."""
        model = self.average.model if self.average else self.model
        reproducible = replace(row, seconds=0.0, images_per_s=0.0, data_wait=0.0, cpu_s=0.0)
        meta = {
            **self.meta,
            "epoch": row.epoch,
            "metrics": asdict(reproducible),
            "is_average": self.average is not None,
        }
        self.kept[name] = (plain_state(model), meta)

    def _write_weights(self) -> None:
        if not self.world.is_main:
            return
        for name, (tensors, meta) in self.kept.items():
            save_checkpoint(self.checkpoints / f"{name}.safetensors", tensors, meta)
        self.kept = {}
        write_history(self.folder / "metrics.csv", self.standing.history)

    def _save(self) -> None:
        # Weights first: a process killed in between repeats the epochs after the older state and writes the same ones.
        self.saved_at = time.monotonic()
        if not self.world.is_main:
            return
        self._write_weights()
        tensors, meta = snapshot(self.standing, self.model, self.step_maker.optimizer, self.average)
        save_state(self.checkpoints, tensors, {**meta, "position": self.standing.position(self.steps_per_epoch)})
        self.saved_at = time.monotonic()

    def _batches(self, epoch: int) -> list[list[int]]:
        weights = balanced_weights(self.train.targets) if self.plan.sampler == "balanced" else None
        return epoch_batches(
            len(self.train.targets), self.plan.batch_size, seed=self.seed, epoch=epoch, sampling_weights=weights
        )

    def _targets(self, order: list[int]) -> Tensor:
        chosen = self.train.targets if self.train.soft_targets is None else self.train.soft_targets
        return torch.from_numpy(chosen[order]).to(self.machine.device)

    def _counts(self) -> Int64[np.ndarray, " classes"]:
        num_classes = len(self.meta["classes"])  # type: ignore[arg-type]  # the caller's tuple of names
        return np.bincount(self.train.targets, minlength=num_classes)

    def _announce(self) -> None:
        total = self.plan.epochs * self.steps_per_epoch
        self.progress.start("train", total)
        self.progress.advance(self.standing.epoch * self.steps_per_epoch + self.standing.step)

    def _show(self, loss: float) -> None:
        standing = self.standing
        fields = {"epoch": f"{standing.epoch + 1}/{self.plan.epochs}", "loss": f"{loss:.3f}"}
        fields |= {"images/s": f"{standing.images_per_s:.0f}", "waiting": f"{standing.data_wait:.0%}"}
        if standing.best:
            fields["best val"] = f"{standing.best.val_accuracy or 0:.1%}"
        self.progress.advance(1, **fields)

    def _result(self, status: Literal["finished", "interrupted"], reason: str, was_resumed: bool) -> FitResult:
        return FitResult(status, reason, tuple(self.standing.history), self.standing.best, was_resumed)
