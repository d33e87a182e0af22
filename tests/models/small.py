"""Narrow instances of every network, so that the default tests take seconds; the counts use the real ones."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fercli.models.build import build_model
from fercli.models.table.specs import MODELS


@dataclass(frozen=True)
class Small:
    """Options that make a network narrow, and the picture it is fed."""

    options: dict[str, Any] = field(default_factory=dict)
    size: int = 0


_CONVNEXT = {"depths": (1, 1, 2, 1), "widths": (16, 24, 32, 48), "image_size": 64}
_LANDMARKS = {"landmark_width": 0.125, "landmark_blocks": (1, 0, 0)}
SMALL = {
    "sfer-mdfae": Small({"widths": (8, 16, 24, 32), "blocks": (1, 1, 1, 1)}, 112),
    "sfernet": Small({"width": 12, "depths": (1, 1, 1, 1), "sizes": (8, 1, 1, 1), "stem": 8, "experts": 2}, 64),
    "aer-cnn": Small({"width": 8}),
    "msff-cnn": Small({"width": 4, "hidden": 16}),
    "drf-msam": Small({"width": 8, "hidden": 16}),
    "fercli-compact": Small({"stem": 8, "widths": (8, 8, 16), "depths": (1, 1, 2)}, 32),
    "fercli-mobilenet": Small({"widths": (8,) * 12 + (16, 16)}, 64),
    "eac": Small({"width": 8, "blocks": (1, 1, 1, 1)}, 64),
    **{f"emonext-{size}": Small(_CONVNEXT, 64) for size in ("tiny", "small", "base", "large")},
    "ddamfn": Small({"width": 0.125, "repeats": (1, 0, 0)}, 112),
    "poster": Small({**_LANDMARKS, "ir_blocks": (1, 1, 1), "ir_widths": (8, 8, 16), "depth": 1}, 112),
    "poster-pp": Small({**_LANDMARKS, "ir_blocks": (1, 1, 1), "embed": 32, "depth": 1}, 112),
}
# One of each architecture: the four sizes of EmoNeXt are one class.
ARCHITECTURES = [name for name in MODELS if name not in ("emonext-tiny", "emonext-small", "emonext-large")]


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
