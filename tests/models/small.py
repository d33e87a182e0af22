"""Narrow instances of every network, so that the default tests take seconds; the counts use the real ones."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fercli.models.build import build_model
from fercli.models.table.specs import MODELS


@dataclass(frozen=True)
class Small:
    """Options that make a network narrow, and the image it is fed."""

    options: dict[str, Any] = field(default_factory=dict)
    size: int = 0


SMALL = {name: Small(spec.small_options, spec.small_size) for name, spec in MODELS.items()}
# One of each architecture: the four sizes of EmoNeXt are one class.
ARCHITECTURES = sorted({spec.builder: name for name, spec in reversed(MODELS.items())}.values(), key=list(MODELS).index)


def small_model(name: str, num_classes: int = 7, **options: Any) -> nn.Module:
    """The narrow instance of `name`, drawn from seed 0, in evaluation mode, with batch statistics of real use."""
    torch.manual_seed(0)
    model = build_model(name, num_classes=num_classes, **{**SMALL[name].options, **options})
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.8, 1.2)
        for name_, parameter in model.named_parameters():
            # Scales that start near zero and regressors that start at zero would hide what lies behind them.
            if name_.endswith(("scale", "attention_scale", "mlp_scale", "regress.2.weight")):
                parameter.normal_(0.02, 0.01)
    return model.eval()


def pictures(name: str, num_images: int = 2, seed: int = 1) -> Tensor:
    """Noise of the form the narrow `name` is fed."""
    spec = MODELS[name]
    size = SMALL[name].size or spec.input_size
    return torch.rand(num_images, spec.channels, size, size, generator=torch.Generator().manual_seed(seed))
