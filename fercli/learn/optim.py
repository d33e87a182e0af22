"""Build optimisers and learning-rate schedules; a schedule is a function of the step, so resuming needs no state."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fercli.learn.recipe import Plan

# One cycle: start at 1/25 of the peak, rise for 30 % of the steps, end at 1/25 * 1e-4 of it; Smith and Topin 2018,
# with the values of torch.optim.lr_scheduler.OneCycleLR.
_CYCLE_START = 1 / 25
_CYCLE_RISE = 0.3
_CYCLE_END = _CYCLE_START * 1e-4
# Adam's own; no paper of the table names another.
_BETA2 = 0.999


def make_optimizer(model: nn.Module, plan: Plan) -> Optimizer:
    """The plan's optimiser over the parameters that need a gradient."""
    groups = parameter_groups(model, plan)
    # One kernel over all parameters; only these two kinds of device have it.
    is_fused = all(parameter.device.type in ("cpu", "cuda") for parameter in model.parameters())
    if plan.optimizer == "sgd":
        nesterov = plan.nesterov and plan.momentum > 0
        sgd = torch.optim.SGD(groups, plan.lr, momentum=plan.momentum, nesterov=nesterov, fused=is_fused)
        _start_momentum(sgd, plan)
        return sgd
    kind = torch.optim.AdamW if plan.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, plan.lr, betas=(plan.momentum, _BETA2), fused=is_fused)


def parameter_groups(model: nn.Module, plan: Plan) -> list[dict[str, object]]:
    """Parameters with and without weight decay; biases and normalisation have at most one axis."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in parameters if plan.decays_norms or parameter.ndim > 1]
    kept = [parameter for parameter in parameters if not plan.decays_norms and parameter.ndim <= 1]
    groups: list[dict[str, object]] = [{"params": decayed, "weight_decay": plan.weight_decay}]
    return groups + ([{"params": kept, "weight_decay": 0.0}] if kept else [])


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Give all groups this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def lr_at(plan: Plan, step: int, steps_per_epoch: int) -> float:
    """The learning rate of step `step` (from 0), counted over the whole training."""
    total = max(1, plan.epochs * steps_per_epoch)
    if plan.schedule == "one-cycle":
        return plan.lr * _one_cycle(step / max(1, total - 1))
    if plan.schedule == "cosine":
        return plan.lr * _cosine(step, total, round(plan.warmup_epochs * steps_per_epoch))
    if plan.schedule == "cosine-restarts":
        return plan.lr * _restarting(step % max(1, plan.restart_steps), plan.restart_steps, plan.warmup_steps)
    epoch = step // steps_per_epoch
    if plan.schedule == "exponential":
        return plan.lr * plan.gamma**epoch
    if plan.schedule == "step":
        return float(plan.lr * plan.gamma ** (epoch // plan.step_epochs))
    return plan.lr


def _start_momentum(sgd: Optimizer, plan: Plan) -> None:
    """Give every parameter the momentum of one that stood still.

    The fused step takes a momentum for all parameters or for none, and one that wakes later than the others has none.
    The first step is the same: without dampening it adds the gradient to nothing.
    """
    for group in sgd.param_groups if plan.momentum else ():
        for parameter in group["params"]:
            sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def _cosine(step: int, total: int, warmup: int) -> float:
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def _restarting(step: int, length: int, warmup: int) -> float:
    """Within one round: an even rise from nothing, then half a cosine."""
    if step < warmup:
        return step / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, length - warmup)))


def _one_cycle(share: float) -> float:
    if share < _CYCLE_RISE:
        return _between(_CYCLE_START, 1.0, share / _CYCLE_RISE)
    return _between(1.0, _CYCLE_END, (share - _CYCLE_RISE) / (1 - _CYCLE_RISE))


def _between(first: float, last: float, share: float) -> float:
    """Half a cosine from `first` to `last`."""
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * share))


@dataclass
class SharpnessAware:
    """SAM: climb to the worst weights within `rho`, take the gradient there, come back and step.

    Running statistics of batch normalisation see both passes, as in the code of POSTER and POSTER++.

    Source: Foret et al., Sharpness-Aware Minimization, ICLR 2021, algorithm 1.
    """

    model: nn.Module
    rho: float
    _climbed: list[tuple[Tensor, Tensor]] = field(default_factory=list, repr=False)

    @torch.no_grad()
    def climb(self) -> None:
        """Move the weights by rho * gradient / |gradient| and drop the gradient."""
        moved = [parameter for parameter in self.model.parameters() if parameter.grad is not None]
        lengths = [parameter.grad.norm() for parameter in moved if parameter.grad is not None]
        norm = torch.stack(lengths).norm()
        self._climbed = [(parameter, parameter.detach().clone()) for parameter in moved]
        for parameter in moved:
            assert parameter.grad is not None
            parameter.add_(parameter.grad * (self.rho / (norm + 1e-12)))
            parameter.grad = None

    @torch.no_grad()
    def come_back(self) -> None:
        """Restore the weights as they were before `climb`; the gradient taken up there stays."""
        for parameter, before in self._climbed:
            parameter.copy_(before)
        self._climbed = []
