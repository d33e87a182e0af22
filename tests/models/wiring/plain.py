"""Layers as functions of a state dict, float64, and the comparison of a network with its plain forward pass.

No layer of the package is used here or in the references: a fault in one cannot hide in the expectation.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fercli.models.build import build_model
from fercli.models.table.specs import MODELS

# In parts of the logits' spread. Float64 rounds a hundred layers to 1e-13; an epsilon of 1e-6 in place of 1e-5 in one
# norm shows at 1e-6.
EXACT = 1e-9
# For the networks as they are: some steps (resizing, sampling, powers) are in float32 whatever the weights are.
USUAL = 1e-5


class Weights(Mapping[str, Tensor]):
    """A state dict that notes which of its tensors were read."""

    def __init__(self, state: Mapping[str, Tensor], read: set[str] | None = None, prefix: str = "") -> None:
        self.state, self.prefix = state, prefix
        self.read: set[str] = set() if read is None else read

    def __getitem__(self, name: str) -> Tensor:
        key = self.prefix + name
        self.read.add(key)
        return self.state[key]

    def __iter__(self) -> Iterator[str]:
        return (key.removeprefix(self.prefix) for key in self.state if key.startswith(self.prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def under(self, name: str) -> "Weights":
        """The tensors whose names begin with `name` and a dot, without it."""
        return Weights(self.state, self.read, f"{self.prefix}{name}.")

    def children(self, name: str) -> list["Weights"]:
        """The numbered parts under `name`, in order."""
        numbers = {int(key.split(".")[0]) for key in self.under(name)}
        return [self.under(f"{name}.{number}") for number in sorted(numbers)]

    def unread(self) -> set[str]:
        """Numbers that no one asked for; whole numbers are counters and indices."""
        return {key for key, tensor in self.state.items() if tensor.is_floating_point()} - self.read


def conv(weights: Weights, name: str, x: Tensor, *, stride: int = 1, padding: int | tuple[int, int] = 0) -> Tensor:
    """A 2-d convolution, depthwise where its kernels are one channel deep."""
    w = weights.under(name)
    kernel = w["weight"]
    return F.conv2d(x, kernel, w.get("bias"), stride, padding, groups=x.shape[1] // kernel.shape[1])


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    w = weights.under(name)
    return x @ w["weight"].T + w.get("bias", torch.zeros(()))


def batch_norm(weights: Weights, name: str, x: Tensor, *, eps: float = 1e-5) -> Tensor:
    """Batch normalisation with the running statistics, channels on axis 1."""
    w = weights.under(name)
    shape = (1, -1) + (1,) * (x.ndim - 2)
    mean, var, scale, shift = (w[key].reshape(shape) for key in ("running_mean", "running_var", "weight", "bias"))
    return (x - mean) / torch.sqrt(var + eps) * scale + shift


def of_this_batch(weights: Weights, name: str, x: Tensor) -> Tensor:
    """Batch normalisation as training does it, in the place of `batch_norm`."""
    w = weights.under(name)
    mean = x.mean((0, 2, 3), keepdim=True)
    var = (x - mean).square().mean((0, 2, 3), keepdim=True)
    scale, shift = (w[key].reshape(1, -1, 1, 1) for key in ("weight", "bias"))
    return (x - mean) / torch.sqrt(var + 1e-5) * scale + shift


def layer_norm(weights: Weights, name: str, x: Tensor, *, eps: float = 1e-5) -> Tensor:
    """Layer normalisation over the last axis."""
    w = weights.under(name)
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + eps) * w["weight"] + w["bias"]


def prelu(weights: Weights, name: str, x: Tensor) -> Tensor:
    slope = weights.under(name)["weight"].reshape(1, -1, 1, 1)
    return torch.where(x > 0, x, slope * x)


def attend(
    query_BHND: Tensor, key_BHMD: Tensor, value_BHMD: Tensor, *, scale: float, bias: Tensor | float = 0.0
) -> Tensor:
    """Softmax attention; B images, H heads, N queries, M keys, D channels of a head. Joins the heads: (B, N, H * D)."""
    scores = torch.einsum("bhnd,bhmd->bhnm", query_BHND, key_BHMD) * scale + bias
    out = torch.einsum("bhnm,bhmd->bnhd", torch.softmax(scores, dim=-1), value_BHMD)
    return out.flatten(2)


def heads_of(x_BNC: Tensor, num_heads: int) -> Tensor:
    """(B, N, C) to (B, heads, N, C / heads): a head is a run of neighbouring channels."""
    images, tokens, channels = x_BNC.shape
    return x_BNC.reshape(images, tokens, num_heads, channels // num_heads).permute(0, 2, 1, 3)


def halved(image: Tensor, resize: str = "antialias", size: int = 112) -> Tensor:
    """224 to 112: bilinear with antialiasing, or every second pixel; what is 112 already stays."""
    if image.shape[-1] == size:
        return image
    if resize == "nearest":
        return F.interpolate(image, size=size)
    return F.interpolate(image, size=size, mode="bilinear", antialias=True)


def tokens(x_BCHW: Tensor) -> Tensor:
    """(B, C, H, W) to (B, H * W, C), row by row."""
    return x_BCHW.flatten(2).transpose(1, 2)


def shaken(name: str, *, num_classes: int = 7, seed: int = 5, **options: Any) -> nn.Module:
    """The network in evaluation mode, float64, every weight and statistic drawn so that no wire carries nothing.

    Matrices and kernels keep the size of what passes them; norms, slopes, scales and tables are far from their start.
    """
    torch.manual_seed(seed)
    model = build_model(name, num_classes=num_classes, **options).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            for key, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
                if tensor.is_floating_point():
                    tensor.copy_(_draw(module, key, tensor, generator))
    return model


def pictures(name: str, size: int, *, num_images: int = 2, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num_images, MODELS[name].channels, size, size, generator=generator, dtype=torch.float64)


def weights_of(model: nn.Module) -> Weights:
    """The model's tensors as leaves of their own; what the model learns can be differentiated by."""
    learned = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return Weights({key: x.detach().clone().requires_grad_(key in learned) for key, x in model.state_dict().items()})


def in_double() -> AbstractContextManager[Any]:
    """Where a step is in float32 whatever the weights are (resizing, sampling, powers, losses), make it float64."""
    return mock.patch.object(Tensor, "float", Tensor.double)


def assert_same_gradients(model: nn.Module, weights: Weights) -> None:
    """Fail unless both backward passes left the same gradients, none where the model has none."""
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    scale = max(gradient.abs().max().item() for gradient in gradients.values() if gradient is not None)
    for name, gradient in gradients.items():
        expected = weights.state[name].grad
        assert (gradient is None) == (expected is None), f"{name}: only one of the two has a gradient"
        if gradient is not None and expected is not None:
            torch.testing.assert_close(
                gradient / scale, expected / scale, rtol=0, atol=EXACT, msg=lambda text, name=name: f"{name}: {text}"
            )


def compare(
    model: nn.Module,
    image: Tensor,
    reference: Callable[[Weights, Tensor], Tensor],
    *,
    unused: Callable[[str], bool] = lambda _: False,
) -> None:
    """Fail unless logits and gradients agree, images differ, and `reference` reads each tensor save those `unused`."""
    weights = weights_of(model)
    expected = reference(weights, image)
    spread = expected.std().detach()
    assert (expected[0] - expected[1]).abs().max() > 1e-3 * spread, "the images look alike to this reference"
    with torch.no_grad():
        as_used = model(image)
    with in_double():
        logits = model(image)
    torch.testing.assert_close(logits / spread, expected / spread, rtol=0, atol=EXACT)
    torch.testing.assert_close(as_used.double() / spread, expected / spread, rtol=0, atol=USUAL)
    assert {key for key in weights.unread() if not unused(key)} == set()
    direction = torch.linspace(-1, 1, logits.numel(), dtype=torch.float64).reshape(logits.shape) / spread
    (logits * direction).sum().backward()
    (expected * direction).sum().backward()
    assert_same_gradients(model, weights)


def _draw(module: nn.Module, key: str, tensor: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
    even = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
    if key == "running_var" or (tensor.ndim == 1 and key != "bias" and key != "running_mean"):
        return 0.1 + 0.4 * even if isinstance(module, nn.PReLU) else 0.5 + even
    if tensor.ndim == 1:
        return 0.3 * noise
    # Tables of positions and tokens of their own, not matrices.
    if key in ("position", "class_token", "relative_bias"):
        return 0.5 * noise
    fan_in = tensor[0].numel()
    return noise * (2 / fan_in) ** 0.5
