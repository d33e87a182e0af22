"""Decide once whether torch.compile pays on this machine for a training of this length, and say why."""

import shutil
from dataclasses import dataclass, replace
from typing import Literal

import torch

from fercli.core.errors import UsageError
from fercli.learn.device import Machine

CompileChoice = Literal["auto", "yes", "no"]

# Measured on CPUs: a training step of IR-50 (6.3 G multiply-adds a picture) gains some 13 %, one of a network of 0.4 G
# loses as much; compiling IR-50 takes one to three minutes. So it pays for large networks, in trainings of an hour.
_LEAST_MACS = 1_000_000_000
_LEAST_WORK = 2e15
# Differentiating costs about twice what the network itself does, and a multiply-add is two operations.
_OPERATIONS_PER_MAC = 6
_COMPILERS = ("g++", "clang++", "c++", "cl")


@dataclass(frozen=True)
class Work:
    """How much a training has to do.

    Args:
        macs: multiply-adds of the network for one picture.
        num_images: pictures it goes through, over all epochs.
    """

    macs: int
    num_images: int

    @property
    def is_worth_compiling(self) -> bool:
        """Whether the minutes that compiling takes come back."""
        return self.macs >= _LEAST_MACS and _OPERATIONS_PER_MAC * self.macs * self.num_images >= _LEAST_WORK


def decide_compilation(machine: Machine, choice: CompileChoice, work: Work) -> tuple[Machine, str]:
    """The machine with the decision and its reason; a warning where "yes" cannot be had, else an empty text."""
    if choice == "no":
        return _with(machine, is_compiled=False, reason="as asked"), ""
    if choice == "auto" and (reason := _reason_against(machine, work)):
        return _with(machine, is_compiled=False, reason=reason), ""
    if failure := find_failure(machine.device):
        warning = f"Model not compiled: {failure}. Training continues uncompiled (slower)."
        return _with(machine, is_compiled=False, reason=failure), warning if choice == "yes" else ""
    reason = "as asked" if choice == "yes" else "long training of a large model"
    return _with(machine, is_compiled=True, reason=reason), ""


def check_still_compiles(machine: Machine) -> None:
    """Refuse to go on with a compiled training where nothing can be compiled any more: the bits would differ.

    Raises:
        UsageError: what is missing.
    """
    if machine.is_compiled and (failure := find_failure(machine.device)):
        raise UsageError(
            f"this run was started with a compiled model, but {failure}", hint="Fix that, or start a new run."
        )


def find_failure(device: str) -> str:
    """Why nothing can be compiled for this device; empty when a small function was."""
    kind = torch.device(device).type
    if kind == "cpu" and not any(shutil.which(name) for name in _COMPILERS):
        return f"no C++ compiler was found ({', '.join(_COMPILERS)})"
    try:
        torch.compile(_probe, dynamic=False)(torch.ones(8, device=device))
    # Whatever a compiler, its headers or its driver may raise: the training must not end for it.
    except Exception as error:
        return f"torch.compile fails here ({type(error).__name__}: {str(error).strip().splitlines()[0][:120]})"
    return ""


def allow_forms(num_forms: int) -> None:
    """Let torch compile one network in so many forms before it goes on without."""
    config = torch._dynamo.config
    # Until torch 2.6 it was called so.
    name = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    setattr(config, name, num_forms)


def _reason_against(machine: Machine, work: Work) -> str:
    if torch.device(machine.device).type != "cpu":
        return "not tested on this kind of device; use --set compile=yes to try it"
    if not work.is_worth_compiling:
        return "the training is too short or the model too small to benefit"
    return ""


def _with(machine: Machine, *, is_compiled: bool, reason: str) -> Machine:
    return replace(machine, is_compiled=is_compiled, compile_reason=reason)


def _probe(x: torch.Tensor) -> torch.Tensor:
    return torch.sin(x) + 1
