"""What several benchmarks of training share: when each step ended, noise for images."""

import statistics
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from fercli.core.progress import SilentProgress
from fercli.data.transforms import InputFormat

CLASSES = 7
# Steps at the start that warm caches and allocate, and are not counted.
WARM_UP = 2


class StepTimes(SilentProgress):
    """Notes when each step of a training ended."""

    def __init__(self, clock: Callable[[], float], warm_up: int = WARM_UP) -> None:
        self.clock = clock
        self.warm_up = warm_up
        self.ends: list[float] = []

    def advance(self, num_items: int = 1, **fields: str) -> None:
        """Called after each step."""
        if fields:
            self.ends.append(self.clock())

    @property
    def seconds(self) -> float:
        """Median of a step, warm-up left out."""
        return statistics.median(np.diff(self.ends[self.warm_up - 1 :]).tolist())


def noise(num: int, form: InputFormat) -> Tensor:
    """Stored crops of the size that the network is fed."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (num, form.channels, form.size, form.size), generator=generator, dtype=torch.uint8)
