"""What one training is made of, gathered so that it can be handed on whole."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from fercli.core.progress import SILENT, Progress
from fercli.data.batches import CropSource, SizedCrops, StreamedCrops
from fercli.data.transforms import InputFormat
from fercli.learn.device import Machine
from fercli.learn.history import EpochRow
from fercli.learn.recipe import Plan
from fercli.learn.world import ALONE, World

# Told of all epochs so far and of the best of them after each, in the main process.
Watcher = Callable[[Sequence[EpochRow], EpochRow | None], None]


@dataclass(frozen=True)
class Faces:
    """Crops with their targets, in the same order; `soft_targets` are what is learnt where they are given."""

    crops: CropSource
    targets: Int64[np.ndarray, " faces"]
    soft_targets: Float32[np.ndarray, "faces classes"] | None = None

    def close(self) -> None:
        """End the processes that read the crops, if there are any."""
        if isinstance(self.crops, StreamedCrops | SizedCrops):
            self.crops.close()


@dataclass(frozen=True)
class Training:
    """Everything a training needs besides the network.

    Args:
        train: what is learnt.
        val: what the best epoch is chosen on; never seen by the optimiser.
        plan: how.
        form: what the network is fed.
        machine: where, in which precision.
        seed: of order, augmentation and dropout.
        folder: the run; metrics.csv and checkpoints/ are written into it.
        meta: goes into each checkpoint: what is needed to build the model again; "classes" must be there.
        pretrained: names of parameters that came from a file, for the plan's freezing.
        time_limit_s: stop after this long, saved, to be resumed.
        world: the processes that share each batch and the validation; only the main one writes.
        progress: told of every step.
        watch: told of every epoch; what it draws or writes must not change the training.
    """

    train: Faces
    val: Faces | None
    plan: Plan
    _: KW_ONLY
    form: InputFormat
    machine: Machine
    seed: int
    folder: Path
    meta: dict[str, object]
    pretrained: Collection[str] = ()
    time_limit_s: float | None = None
    world: World = ALONE
    progress: Progress = SILENT
    watch: Watcher | None = None

    @property
    def num_classes(self) -> int:
        """How many classes are told apart."""
        return len(self.meta["classes"])  # type: ignore[arg-type]  # the caller's names
