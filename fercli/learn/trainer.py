"""Train a model on crops by a plan: the one loop for every network and every objective."""

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from fercli.core.errors import CheckError, ProjectError, UsageError
from fercli.core.words import counted
from fercli.data.loaders import balanced_weights, epoch_batches
from fercli.learn.checkpoints import load_state
from fercli.learn.device import apply_threads, ask_for_same_bits
from fercli.learn.ema import WeightAverage
from fercli.learn.evaluate import Validation, validate
from fercli.learn.history import EpochRow
from fercli.learn.keeper import Keeper
from fercli.learn.kernels import ease_kernels
from fercli.learn.norms import add_norms
from fercli.learn.optim import lr_at
from fercli.learn.state import Standing, restore
from fercli.learn.step import StepMaker
from fercli.learn.stopping import stop_request
from fercli.learn.training import Faces, Training

__all__ = ["Faces", "FitResult", "Training", "fit"]

# A kill costs at most this much work, within an epoch and between epochs that are shorter.
_SAVE_EVERY_S = 300.0
_SAVE_SHORT_EPOCHS_EVERY_S = 5.0


@dataclass(frozen=True)
class FitResult:
    """How a training ended; `best` is the row of the epoch whose weights are kept as best."""

    status: Literal["finished", "interrupted"]
    reason: str
    history: tuple[EpochRow, ...]
    best: EpochRow | None
    was_resumed: bool


def fit(model: nn.Module, training: Training) -> FitResult:
    """Train `model` and keep the best and the last weights; a run that was stopped goes on where it was.

    Everything random is drawn from (seed, epoch, step), so an interrupted and resumed training ends with the same
    bits as one that was not, on the same processor with the same number of threads; a GPU is asked for kernels of fixed
    order, which torch does not have for every layer. The best epoch is the one with the best `plan.metric` on val, ties
    broken by the lower loss; without val faces it is the last. The saved state stays for whoever records the end.

    SIGINT and SIGTERM end the step at hand, save and return "interrupted"; a second one raises KeyboardInterrupt. A
    validation that they end is made anew when the training goes on.

    Args:
        model: with the weights to start from; it is moved to the device and changed, take the result from the run.
        training: on what, how, where.

    Raises:
        CheckError: the loss is no number or grows without bound; the best weights so far are kept.
        InputError: the saved state is damaged.
    """
    try:
        return _Fit(model, training).run()
    finally:
        for faces in (training.train, training.val):
            if faces is not None:
                faces.close()


class _StoppedError(Exception):
    """A signal came while val was judged."""


class _Fit:
    """One training; what changes is `standing`, the model, the optimiser and the average."""

    def __init__(self, model: nn.Module, training: Training) -> None:
        self.job, self.plan, self.world = training, training.plan, training.world
        self.deadline = time.monotonic() + (training.time_limit_s or float("inf"))
        apply_threads(training.machine)
        ask_for_same_bits(training.machine)
        self.model = model.to(training.machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this form
        if self.plan.adds_norms:
            add_norms(self.model)
        self.steps_per_epoch = self._count_steps()
        if training.machine.precision == "bf16" and training.machine.device.startswith("cpu"):
            ease_kernels(self.model)
        self.average = WeightAverage(self.model, self.plan.ema_decay) if self.plan.ema_decay else None
        self.step_maker = StepMaker(
            self.model,
            self.plan,
            training.form,
            training.machine,
            seed=training.seed,
            class_counts=self._counts(),
            steps_per_epoch=self.steps_per_epoch,
            pretrained=training.pretrained,
            world=self.world,
        )
        self.standing = Standing()
        self.keeper = Keeper(
            training.folder, training.meta, is_writing=self.world.is_main, pretrained=training.pretrained
        )

    def run(self) -> FitResult:
        """Epoch by epoch until the plan, patience, the clock or a signal ends it."""
        state = self.world.from_main(lambda: load_state(self.keeper.checkpoints))
        if state is not None:
            self.standing = restore(state, self.model, self.step_maker.optimizer, self.average)
            self._check_steps(int(state.meta["position"]))
        self._announce()
        stop = ""
        try:
            with stop_request() as is_stopping:
                while not stop and not self._ended():
                    stop = self._train_epoch(is_stopping)
                    if self.standing.step == self.steps_per_epoch:
                        stop = self._end_epoch(is_stopping) or stop
        except CheckError:
            self.keeper.write_weights(self.standing.history)
            raise
        self._save()
        if stop and not self._ended():
            return self._result("interrupted", stop, state is not None)
        return self._result("finished", self._ended(), state is not None)

    def _check_steps(self, position: int) -> None:
        """Refuse to go on where an epoch has another number of steps than before: it would never end, or too soon.

        Raises:
            ProjectError: faces came or went.
        """
        standing, now = self.standing, self.steps_per_epoch
        before = (position - standing.step) // standing.epoch if standing.epoch else None
        if before not in (None, now) or standing.step > now:
            told = f"{counted(before, 'step')}" if before else f"at least {counted(standing.step, 'step')}"
            raise ProjectError(
                f"the training cannot go on: an epoch had {told} when it stopped, and has {now} now",
                hint="Restore the crops that are missing (see: fer check images), or train a new run without --resume.",
            )

    def _is_taken_in(self, epoch: int, step: int) -> bool:
        """Whether the running mean takes in the weights after this step."""
        return (epoch * self.steps_per_epoch + step + 1) % self.plan.ema_every == 0

    def _train_epoch(self, is_stopping: Callable[[], bool]) -> str:
        """Go through the rest of the epoch; why the training is to stop after the last step, or nothing."""
        standing = self.standing
        orders = self._batches(standing.epoch)[standing.step :]
        self.step_maker.begin_epoch(standing.epoch)
        shares = [self.world.share(order) for order in orders]
        batches = self.job.train.crops.batches(shares)
        asked_at, cpu_before = time.monotonic(), time.process_time()
        for order, share, images in zip(orders, shares, batches, strict=True):
            now = time.monotonic()
            standing.wait_s += now - asked_at
            place = (standing.epoch, standing.step)
            own_loss, own_right = self.step_maker.step(
                images, self._targets(share), *place, all_targets=self._targets(order)
            )
            if self.average and self._is_taken_in(*place):
                self.average.update()
            asked_at = time.monotonic()
            is_late = self.world.is_main and asked_at > self.deadline
            loss, num_right, stops, late = self.world.sums(own_loss, own_right, is_stopping(), is_late)
            self.step_maker.check_loss(loss, *place)
            standing.count(len(order), loss, num_right, asked_at - now)
            cpu_now = time.process_time()
            standing.cpu_s, cpu_before = standing.cpu_s + cpu_now - cpu_before, cpu_now
            self._show(1, loss / len(order))
            if stops or late:
                return "interrupted" if stops else "time limit"
            if standing.step < self.steps_per_epoch and self.keeper.unsaved_s > _SAVE_EVERY_S:
                self._save()
                asked_at = time.monotonic()
        return ""

    def _end_epoch(self, is_stopping: Callable[[], bool]) -> str:
        """Judge the epoch and close it; why the training is to stop before that is done, or nothing."""
        standing = self.standing
        self.step_maker.check_epoch([*(row.train_loss for row in standing.history), standing.mean_loss])
        self.step_maker.check_weights(standing.epoch)
        try:
            validation = self._validate(is_stopping)
        except _StoppedError:
            return "interrupted"
        last_step = (standing.epoch + 1) * self.steps_per_epoch - 1
        row = standing.row(validation, lr_at(self.plan, last_step, self.steps_per_epoch))
        if standing.takes_best(row, self.plan.metric):
            self._keep("best", row)
        self._keep("last", row)
        self._show(0, row.train_loss)
        standing.next_epoch(row)
        if self.keeper.unsaved_s > _SAVE_SHORT_EPOCHS_EVERY_S:
            self._save()
        if self.job.watch and self.world.is_main:
            self.job.watch(standing.history, standing.best)
        return ""

    def _ended(self) -> str:
        standing = self.standing
        if standing.epoch >= self.plan.epochs:
            return "all epochs done"
        if self.job.val and self.plan.patience and standing.epochs_since_best >= self.plan.patience:
            return (
                f"no improvement in validation {self.plan.metric} for "
                f"{counted(self.plan.patience, 'epoch')} (early stopping)"
            )
        return ""

    def _validate(self, is_stopping: Callable[[], bool]) -> Validation | None:
        val, num_done = self.job.val, 0
        if val is None:
            return None
        num_own = len(self.world.share(range(len(val.crops))))  # where it is none, nothing is watched

        def watch(num_faces: int) -> None:
            nonlocal num_done
            # Several processes meet at the end of a validation; none may leave before.
            if is_stopping() and self.world.size == 1:
                raise _StoppedError
            num_done += num_faces
            self._show(0, self.standing.mean_loss, f", {num_done / num_own:.0%} of val")

        model = self.average.model if self.average else self.model
        self.world.share_buffers(model)
        return validate(
            model,
            val.crops,
            val.targets,
            form=self.job.form,
            machine=self.job.machine,
            num_classes=self.step_maker.num_classes,
            batch_size=max(64, self.plan.batch_size),
            world=self.world,
            watch=watch,
        )

    def _keep(self, name: str, row: EpochRow) -> None:
        model = self.average.model if self.average else self.model
        self.keeper.keep(name, row, model, is_average=self.average is not None)

    def _save(self) -> None:
        optimizer = self.step_maker.optimizer
        self.keeper.save(self.standing, self.model, optimizer, self.average, steps_per_epoch=self.steps_per_epoch)

    def _count_steps(self) -> int:
        orders = self._batches(0)
        if min(len(order) for order in orders) < self.world.size:
            raise UsageError(
                f"a batch size of {self.plan.batch_size} is too small for "
                f"{counted(self.world.size, 'process', 'processes')}",
                hint="Increase --batch-size, or use fewer processes.",
            )
        if min(len(self.world.share(order)) for order in orders) == 1:
            self._check_single()
        return len(orders)

    def _check_single(self) -> None:
        """Refuse batches of one face where the network normalises over the batch: it would fail at the epoch's end.

        Raises:
            UsageError: with a batch size that will do.
        """
        form, num_faces = self.job.form, len(self.job.train.targets)
        # On a copy, with the generator's state put back: nothing of the training that follows may change.
        copy, image_BCHW = deepcopy(self.model).train(), torch.zeros(1, form.channels, form.side, form.side)
        image_BCHW = image_BCHW.to(next(copy.parameters()).device)
        try:
            with torch.random.fork_rng(), torch.no_grad():
                copy(image_BCHW)
        except ValueError as error:
            sizes = range(self.plan.batch_size + 1, num_faces + 1)
            fits = next(
                (size for size in sizes if num_faces // -(-num_faces // size) // self.world.size > 1), num_faces
            )
            raise UsageError(
                f"{counted(num_faces, 'face')} in batches of {self.plan.batch_size} leave a batch of one face, "
                f"over which the model cannot normalise",
                hint=f"Set --batch-size {fits}.",
            ) from error

    def _batches(self, epoch: int) -> list[list[int]]:
        targets = self.job.train.targets
        weights = balanced_weights(targets) if self.plan.sampler == "balanced" else None
        return epoch_batches(
            len(targets), self.plan.batch_size, seed=self.job.seed, epoch=epoch, sampling_weights=weights
        )

    def _targets(self, order: list[int]) -> Tensor:
        train = self.job.train
        chosen = train.targets if train.soft_targets is None else train.soft_targets
        return torch.from_numpy(chosen[order]).to(self.job.machine.device)

    def _counts(self) -> Int64[np.ndarray, " classes"]:
        return np.bincount(self.job.train.targets, minlength=self.job.num_classes)

    def _announce(self) -> None:
        total = self.plan.epochs * self.steps_per_epoch
        self.job.progress.start("train", total)
        self.job.progress.advance(self.standing.epoch * self.steps_per_epoch + self.standing.step)

    def _show(self, num_steps: int, loss: float, more: str = "") -> None:
        """Count steps and tell where the training stands; `more` of the epoch."""
        standing = self.standing
        # In the order of need, for a narrow screen cuts the end off.
        fields = {"speed": f"{standing.images_per_s:.0f} images/s", "wait": f"{standing.data_wait:.0%} data wait"}
        fields |= {"epoch": f"epoch {standing.epoch + 1}/{self.plan.epochs}{more}", "loss": f"loss {loss:.3f}"}
        if standing.best and standing.best.val_accuracy is not None:
            fields["best"] = f"best val {standing.best.val_accuracy:.1%}"
        self.job.progress.advance(num_steps, **fields)

    def _result(self, status: Literal["finished", "interrupted"], reason: str, was_resumed: bool) -> FitResult:
        return FitResult(status, reason, tuple(self.standing.history), self.standing.best, was_resumed)
