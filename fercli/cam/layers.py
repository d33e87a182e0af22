"""Layers of a model that can be used for class activation maps.

Axes: B images, C channels, H and W rows and columns of a map, T tokens, D their width.
"""

import difflib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fercli.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Layer:
    """A module whose output is a map; `shape` is channels, rows, columns."""

    name: str
    kind: str
    shape: tuple[int, int, int]


def list_layers(model: nn.Module, image_BCHW: Float[Tensor, "1 C H W"]) -> list[Layer]:
    """List the layers that `compute_cams` can look at, in the order in which they run on `image_BCHW`.

    Left out are outputs that are no tensor, have a single place, or are tokens that fill no square.
    """
    layers: dict[str, Layer] = {}
    with _outputs_of(model, dict(model.named_modules()), image_BCHW) as outputs:
        for name, kind, output in outputs:
            shape = _map_shape(output, None)
            if name and shape and name not in layers:
                layers[name] = Layer(name, kind, shape)
    return list(layers.values())


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """Give the module of this dotted name.

    Raises:
        UsageError: the model has no such module.
    """
    modules: dict[str, nn.Module] = {key: module for key, module in model.named_modules() if key}
    if name in modules:
        return modules[name]
    close = difflib.get_close_matches(name, modules, n=3, cutoff=0.5)
    known = f"Did you mean {' or '.join(close)}?" if close else f"The first layers are: {', '.join(list(modules)[:6])}."
    raise UsageError(
        f"layer '{name}' not found in {type(model).__name__}",
        hint=f"{known} List all layers with `fer gradcam --list-layers`.",
    )


def probe_layer(
    model: nn.Module, name: str, image_BCHW: Float[Tensor, "1 C H W"], token_grid: tuple[int, int] | None
) -> None:
    """Check with one image that a layer gives a map and has a part in the logits.

    Raises:
        UsageError: it has none of both; an error from inside the CAM package would not say which.
    """
    kept: list[object] = []
    handle = find_layer(model, name).register_forward_hook(lambda _module, _args, output: kept.append(output))
    leaf = image_BCHW.detach().clone().requires_grad_(True)
    try:
        with torch.enable_grad():
            logit_sum = model(leaf).sum()
    finally:
        handle.remove()
    output = kept[0] if kept else None
    if _map_shape(output, token_grid) is None:
        raise UsageError(
            f"layer '{name}' cannot be used for CAM: its output is {_describe(output)}",
            hint="List usable layers with `fer gradcam --list-layers`.",
        )
    assert isinstance(output, Tensor)  # _map_shape said so
    if not output.requires_grad or torch.autograd.grad(logit_sum, output, allow_unused=True)[0] is None:
        raise UsageError(
            f"layer '{name}' does not contribute to the output", hint="Choose a layer between input and logits."
        )


def as_map(output: Float[Tensor, "..."], token_grid: tuple[int, int] | None = None) -> Float[Tensor, "B C H W"]:
    """Bring a layer's output into the form of a map; a class token in front of the grid is dropped.

    The copy matters: a layer that works in place behind this one would change what was recorded here.

    Raises:
        ValueError: the output is no map; `list_layers` tells which are.
    """
    if output.ndim == 4:
        return output.clone()
    grid = _grid_of(output.shape[1], token_grid) if output.ndim == 3 else None
    if grid is None:
        raise ValueError(f"output of shape {tuple(output.shape)} is not a map")
    rows, columns = grid
    tokens_BTD = output[:, -rows * columns :]
    return tokens_BTD.transpose(1, 2).reshape(len(output), -1, rows, columns).clone()


def _grid_of(num_tokens: int, token_grid: tuple[int, int] | None) -> tuple[int, int] | None:
    if token_grid is not None:
        num_places = token_grid[0] * token_grid[1]
        return token_grid if num_tokens in (num_places, num_places + 1) else None
    for num_places in (num_tokens, num_tokens - 1):
        side = math.isqrt(num_places)
        if side > 1 and side * side == num_places:
            return side, side
    return None


def _map_shape(output: object, token_grid: tuple[int, int] | None) -> tuple[int, int, int] | None:
    if not isinstance(output, Tensor) or not output.is_floating_point():
        return None
    if output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
        return output.shape[1], output.shape[2], output.shape[3]
    grid = _grid_of(output.shape[1], token_grid) if output.ndim == 3 else None
    return (output.shape[2], *grid) if grid else None


def _describe(output: object) -> str:
    if isinstance(output, Tensor):
        return " x ".join(str(size) for size in output.shape[1:]) + " per image"
    return "never made" if output is None else f"a {type(output).__name__}"


@contextmanager
def _outputs_of(
    model: nn.Module, modules: dict[str, nn.Module], image_BCHW: Float[Tensor, "1 C H W"]
) -> Iterator[list[tuple[str, str, object]]]:
    outputs: list[tuple[str, str, object]] = []
    was_training = [module.training for module in model.modules()]

    def record(name: str, kind: str, output: object) -> None:
        outputs.append((name, kind, output))

    handles = [
        module.register_forward_hook(
            lambda module, _args, output, name=name: record(name, type(module).__name__, output)
        )
        for name, module in modules.items()
    ]
    try:
        with torch.no_grad():
            model.eval()(image_BCHW)
        yield outputs
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in zip(model.modules(), was_training, strict=True):
            module.training = mode
