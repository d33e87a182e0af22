"""Train on one batch of crops: augment, run, differentiate, clip, update.

B pictures, C channels, H W pixels, K classes.
"""

import math
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from fercli.core.errors import CheckError, UsageError
from fercli.data.mixing import mix
from fercli.data.seeding import derive_seed, generator_for
from fercli.data.transforms import Augmentation, InputFormat, augment
from fercli.learn.compiling import allow_forms
from fercli.learn.device import Machine
from fercli.learn.freezing import freeze, learnable, resting
from fercli.learn.objectives import OBJECTIVES, LossOptions, Objective, class_weights
from fercli.learn.optim import SharpnessAware, lr_at, make_optimizer, set_lr
from fercli.learn.recipe import Plan
from fercli.learn.world import ALONE, World

# A training that has run away stays away.
_EPOCHS_AWAY = 3
# Forms of one network that are compiled.
_MOST_FORMS = 128


class _Learner(nn.Module):
    """Model and objective as one module, so that one forward pass leads from pictures to the loss."""

    def __init__(self, model: nn.Module, objective: Objective, options: LossOptions) -> None:
        super().__init__()
        self.model, self.objective, self.options = model, objective, options

    def forward(self, image_BCHW: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and logits."""
        return self.objective(self.model, image_BCHW, targets, self.options)


class StepMaker:
    """Holds what a step needs; the random numbers of a step depend on nothing but (seed, epoch, step)."""

    def __init__(
        self,
        model: nn.Module,
        plan: Plan,
        form: InputFormat,
        machine: Machine,
        *,
        seed: int,
        class_counts: Int64[np.ndarray, " classes"],
        steps_per_epoch: int,
        pretrained: Collection[str] = (),
        world: World = ALONE,
    ) -> None:
        self.world = world
        self.model, self.plan, self.form, self.machine = model, plan, form, machine
        self.augmentation = _augmentation(plan)
        self.seed, self.steps_per_epoch = seed, steps_per_epoch
        self.pretrained, self.learnable = frozenset(pretrained), learnable(model)
        self.num_classes = len(class_counts)
        weights_K = class_weights(class_counts, plan.class_weights)
        self.weights_K = None if weights_K is None else weights_K.to(machine.device)
        options = LossOptions(plan.label_smoothing, self.weights_K)
        self.learner: nn.Module = _Learner(model, OBJECTIVES[plan.objective], options)
        if machine.is_compiled:
            # Batches come in two sizes; code for each size alone does not depend on which of them came first.
            self.learner.compile(dynamic=False)
            # Which layers rest and how a batch is mixed make a form each; past the limit torch would go on uncompiled.
            allow_forms(_MOST_FORMS)
        if world.size > 1:
            # Resting parameters and heads that an objective leaves out get no gradient in some epochs.
            self.learner = DistributedDataParallel(self.learner, find_unused_parameters=True)
        self.optimizer = make_optimizer(model, plan)
        self.sharpness = SharpnessAware(model, plan.sam_rho) if plan.sam_rho else None
        self.last_lr = plan.lr

    def begin_epoch(self, epoch: int) -> None:
        """Put the model into training mode, all but what rests in this epoch."""
        self.model.train()
        freeze(self.model, self.learnable, resting(self.model, self.pretrained, self.plan, epoch))

    def step(
        self,
        images: UInt8[Tensor, "batch _ height width"],
        targets: Int64[Tensor, " batch"] | Float[Tensor, "batch classes"],
        epoch: int,
        step: int,
        *,
        all_targets: Tensor | None = None,
    ) -> tuple[float, float]:
        """Learn from one batch; the sum of its losses and how many were right before the step.

        Where several processes share a batch, whose targets are `all_targets`, each counts by its share of it: what
        they give adds up to the mean loss of the batch times its faces.

        A loss that is no number is not looked for here: see `check_loss`.

        Raises:
            UsageError: the batch, or a part of it, is one face, and the network needs several.
        """
        self.last_lr = lr_at(self.plan, epoch * self.steps_per_epoch + step, self.steps_per_epoch)
        set_lr(self.optimizer, self.last_lr)
        image_BCHW = self._augmented(images, epoch, step)
        learnt, image_BCHW = self._mixed(image_BCHW, targets, epoch, step)
        whole = targets if all_targets is None else all_targets
        share = self.world.size * self._weight(targets, learnt) / self._weight(whole, learnt)
        loss, logits_BK = self._gradients(image_BCHW, learnt, epoch, step, share=share)
        if self.sharpness:
            self.sharpness.climb()
            self._gradients(image_BCHW, learnt, epoch, step, share=share)
            self.sharpness.come_back()
        if self.plan.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        # Of a mixed picture the label of its larger part is right.
        right = learnt if learnt.ndim == 1 else learnt.argmax(1)
        loss_sum = loss.item() * len(whole) * (share / self.world.size)
        return loss_sum, float((logits_BK.argmax(1) == right).sum().item())

    def check_loss(self, loss: float, epoch: int, step: int) -> None:
        """Stop a training whose loss, summed over all processes so that they stop together, is no number.

        Raises:
            CheckError: it is infinite or not a number.
        """
        if not math.isfinite(loss):
            raise self._diverged(f"in epoch {epoch + 1}, step {step + 1}: the loss is {loss}")

    def check_weights(self, epoch: int) -> None:
        """Stop a training whose last step left weights that are no numbers, before they are judged and kept.

        Raises:
            CheckError: one is infinite or not a number.
        """
        for name, parameter in self.model.named_parameters():
            if not torch.isfinite(parameter).all():
                raise self._diverged(f"in epoch {epoch + 1}: '{name}' is NaN or infinite")

    def check_epoch(self, losses: Sequence[float]) -> None:
        """Stop a training whose loss runs away; `losses` are the epochs' means so far.

        Raises:
            CheckError: for some epochs on end the loss is over three times that of the first epoch and of chance.
        """
        # Over a handful of faces one epoch may be that bad and the next one good again.
        if min(losses[-_EPOCHS_AWAY:]) > 3 * max(losses[0], math.log(self.num_classes)):
            where = f"in epoch {len(losses)}: its mean loss is {losses[-1]:.3g}, the first {losses[0]:.3g}"
            raise self._diverged(where)

    def _augmented(self, images: Tensor, epoch: int, step: int) -> Tensor:
        generator = generator_for(self.seed, "augment", epoch, step, *self._own())
        image_BCHW = augment(images.to(self.machine.device), self.form, self.augmentation, generator)
        return image_BCHW.contiguous(memory_format=torch.channels_last)

    def _mixed(self, image_BCHW: Tensor, targets: Tensor, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        if not (self.plan.mixup or self.plan.cutmix) or epoch >= self.plan.epochs - self.plan.plain_epochs:
            return targets, image_BCHW
        shares = F.one_hot(targets, self.num_classes).float() if targets.ndim == 1 else targets
        generator = generator_for(self.seed, "mix", epoch, step, *self._own())
        image_BCHW, shares = mix(
            image_BCHW, shares, generator=generator, mixup=self.plan.mixup, cutmix=self.plan.cutmix
        )
        return shares, image_BCHW

    def _own(self) -> tuple[int, ...]:
        """What sets this process' random numbers apart; nothing when it is alone."""
        return (self.world.rank,) if self.world.size > 1 else ()

    def _gradients(
        self, image_BCHW: Tensor, targets: Tensor, epoch: int, step: int, *, share: float
    ) -> tuple[Tensor, Tensor]:
        """Add the batch's gradient, times `share`, to the parameters; the mean loss and the logits come back."""
        mean_loss, logits = torch.zeros((), device=image_BCHW.device), []
        num_parts = min(self.plan.accumulate, len(image_BCHW))
        parts = list(zip(image_BCHW.tensor_split(num_parts), targets.tensor_split(num_parts), strict=True))
        for number, (images, learnt) in enumerate(parts):
            # Dropout and drop path draw from torch's global generator.
            self._seed(derive_seed(self.seed, "network", epoch, step, number, *self._own()))
            with self._exchange(is_last=number == len(parts) - 1):
                loss, logits_BK = self._judge(images, learnt)
                loss = loss * (self._weight(learnt, targets) / self._weight(targets, targets))
                (loss * share).backward()  # type: ignore[no-untyped-call]  # not in torch's stub
            mean_loss += loss.detach()
            logits.append(logits_BK.detach())
        return mean_loss, torch.cat(logits)

    def _seed(self, seed: int) -> None:
        # torch's own asks every kind of device that there could be, which takes nearly a millisecond.
        on_processor = self.machine.device == "cpu"
        (torch.default_generator.manual_seed if on_processor else torch.manual_seed)(seed)

    def _judge(self, image_BCHW: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and logits in the chosen precision."""
        try:
            with self.machine.autocast():
                loss, logits_BK = self.learner(image_BCHW, targets)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise UsageError(
                "batch normalisation needs more than one face per batch",
                hint="Change --batch-size, or reduce --set accumulate.",
            ) from error
        return loss, logits_BK

    def _weight(self, targets: Tensor, learnt: Tensor) -> float:
        """What `targets` count in the mean loss of a batch of which `learnt` is learnt.

        Their number, or the sum of the weights of their classes; blended and soft targets always count by number.
        """
        if self.weights_K is None or learnt.ndim > 1:
            return float(len(targets))
        return float(self.weights_K[targets].sum())

    def _exchange(self, *, is_last: bool) -> AbstractContextManager[None]:
        """Processes average their gradients once a batch, with its last part."""
        if isinstance(self.learner, DistributedDataParallel) and not is_last:
            return self.learner.no_sync()
        return nullcontext()

    def _diverged(self, where: str) -> CheckError:
        return CheckError(
            f"training diverged {where}",
            hint=f"Reduce the learning rate (--lr, currently {self.last_lr:g}). The best checkpoint so far is kept.",
        )


def _augmentation(plan: Plan) -> Augmentation:
    # TOML and JSON give lists for tuples.
    amounts = {name: tuple(value) if isinstance(value, list) else value for name, value in plan.augmentation.items()}
    return Augmentation(**amounts)  # type: ignore[arg-type]  # the names and types of its fields
