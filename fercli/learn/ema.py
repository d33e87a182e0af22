"""A running mean of a model's weights, which often generalises better than the last ones."""

import copy

import torch
from torch import nn


class WeightAverage:
    """Exponential moving average of all floating weights and buffers; the others are copied.

    Early on the decay is (1 + n) / (10 + n) after n updates, so that the random start is forgotten soon.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.decay = decay
        self.num_updates = 0
        pairs = list(zip(self.model.state_dict().values(), model.state_dict().values(), strict=True))
        # References into both models, which change their tensors in place: looking them up each step would cost.
        self._floating = [(mean, value) for mean, value in pairs if mean.is_floating_point()]
        self._counters = [(mean, value) for mean, value in pairs if not mean.is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights of the model it was made from in."""
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        self.num_updates += 1
        torch._foreach_lerp_([mean for mean, _ in self._floating], [value for _, value in self._floating], 1 - decay)
        for mean, value in self._counters:
            mean.copy_(value)
