"""Classification networks of torchvision and timm as rows of the table: head exchanged, size and CAM layer found.

B images, C channels, H W rows and columns of a map, T tokens, D their width.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torchvision import models

from fercli.core.errors import UsageError
from fercli.models.table.schema import IMAGENET_MEAN, IMAGENET_STD, ModelSpec, Paper, Values, recipe

# Names of a library that are told after a wrong one; timm has over a thousand.
_MOST_LISTED = 100
# Without their second classifiers, which only trainings of many days need, forward gives logits alone.
_OPTIONS: dict[str, dict[str, object]] = {
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
}
_FINE_TUNING = recipe(
    ours=Values(
        optimizer="adamw",
        lr=3e-4,
        batch_size=32,
        epochs=30,
        weight_decay=0.05,
        decays_norms=False,
        scheduler="warmup-cosine",
        warmup_epochs=2.0,
        label_smoothing=0.1,
        patience=15,
        grad_clip=5.0,
        augmentation={
            "flip": 0.5,
            "rotate_deg": 10.0,
            "shift": 0.06,
            "zoom": 0.1,
            "brightness": 0.15,
            "contrast": 0.2,
            "erase": 0.25,
            "erase_area": (0.02, 0.15),
        },
    )
)


def build_torchvision(num_classes: int, *, network: str) -> nn.Module:
    """The network of torchvision with a head for `num_classes`, under its own names, with fresh weights."""
    with _RegNetSizes() if network.startswith("regnet") else nullcontext():
        return models.get_model(network, weights=None, num_classes=num_classes, **_OPTIONS.get(network, {}))  # type: ignore[no-any-return]  # untyped


@cache
def torchvision_spec(network: str) -> ModelSpec:
    """The row of one of torchvision's classification networks.

    Raises:
        UsageError: torchvision has none of this name, or its head cannot be exchanged.
    """
    known = models.list_models(module=models)
    if network not in known:
        raise _unknown("torchvision", network, known, is_known=network in models.list_models())
    versions = models.get_model_weights(network)
    # Some of the published weights are for larger images than the network itself is built for.
    for weights in (versions.DEFAULT, *versions):
        preset, licence = weights.transforms(), weights.meta.get("license", "BSD-3-Clause")
        spec = _spec(
            Library("torchvision", "fercli.models.library:build_torchvision", build_torchvision),
            network,
            InputOf(preset.crop_size[0], tuple(preset.mean), tuple(preset.std)),
            paper=Paper(f"{network} of torchvision", "", "torchvision", url=weights.meta["recipe"]),
            weights=f"ImageNet weights for --backbone-weights: {weights.url} ({licence}).",
        )
        if spec:
            return spec
    raise _no_head(f"torchvision:{network}")


def build_timm(num_classes: int, *, network: str) -> nn.Module:
    """The network of timm with a head for `num_classes`, under its own names, with fresh weights."""
    model = _timm().create_model(network, pretrained=False, num_classes=num_classes)
    if getattr(model, "output_fmt", "NCHW") == "NHWC":
        show_map(model)
    return model  # type: ignore[no-any-return]  # an optional package


@cache
def timm_spec(network: str) -> ModelSpec:
    """The row of one of timm's networks.

    Raises:
        UsageError: timm is not installed, has none of this name, or its head cannot be exchanged.
    """
    timm = _timm()
    if not timm.is_model(network):
        raise _unknown("timm", network, timm.list_models())
    facts = timm.get_pretrained_cfg(network)
    fed, where = InputOf(224, IMAGENET_MEAN, IMAGENET_STD), "timm"
    if facts:
        fed = InputOf(facts.input_size[-1], tuple(facts.mean), tuple(facts.std))
        where = facts.hf_hub_id or where
    spec = _spec(
        Library("timm", "fercli.models.library:build_timm", build_timm),
        network,
        fed,
        paper=Paper(f"{network} of timm", "", "timm", url="https://github.com/huggingface/pytorch-image-models"),
        weights=f"Weights for --backbone-weights: https://huggingface.co/{where}, under the licence stated there.",
    )
    if not spec:
        raise _no_head(f"timm:{network}")
    return spec


def show_map(model: nn.Module) -> None:
    """Let a network that keeps its channels last show them first, in a module `map` that a CAM can be drawn from."""
    kind = type(model)

    class WithMap(kind):  # type: ignore[misc, valid-type]  # whatever class it is
        def forward_head(self, x_BHWC: Tensor, *args: Any, **options: Any) -> Tensor:  # as in timm
            x_BCHW = self.map(x_BHWC.permute(0, 3, 1, 2))
            logits: Tensor = super().forward_head(x_BCHW.permute(0, 2, 3, 1), *args, **options)
            return logits

    WithMap.__name__ = WithMap.__qualname__ = kind.__name__
    model.map = nn.Identity()
    model.__class__ = WithMap


@dataclass(frozen=True)
class Library:
    """A package of networks: its name, and what builds one of them."""

    name: str
    builder: str
    build: Callable[..., nn.Module]


@dataclass(frozen=True)
class InputOf:
    """What a network was trained on: the side of the images, mean and standard deviation of values in [0, 1]."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class _Output:
    """What one module gave for one image: a map or tokens."""

    name: str
    module: nn.Module
    value: Tensor
    source: Tensor | None


def _spec(library: Library, network: str, fed: InputOf, *, paper: Paper, weights: str) -> ModelSpec | None:
    """The row; None if the network cannot be fed such images, or gives other than one number for each class."""
    name = f"{library.name}:{network}"
    with torch.device("meta"):
        model, wider = (library.build(num, network=network) for num in (7, 8))
    outputs = _outputs(model, fed.size)
    if outputs is None or outputs[-1].value.shape != (1, 7):
        return None
    layer, grid = _cam_layer(name, outputs)
    parameters, more = (sum(p.numel() for p in built.parameters()) for built in (model, wider))
    return ModelSpec(
        name=name,
        title=f"{network} of {library.name}",
        architecture=f"As {library.name} builds it, with a head for the project's classes.",
        builder=library.builder,
        paper=paper,
        input_size=fed.size,
        channels=3,
        mean=fed.mean,
        std=fed.std,
        cam_layer=layer,
        cam_grid=grid,
        parameters=parameters,
        parameters_per_class=more - parameters,
        recipes={"default": _FINE_TUNING},
        options={"network": network},
        fast_size=112 if fed.size > 112 and _outputs(model, 112) else 0,
        notes=("The recipe is ours, for weights trained on ImageNet.", weights),
    )


def _outputs(model: nn.Module, size: int) -> list[_Output] | None:
    """Every module's output for one image on the meta device, in the order they came; None if it cannot be fed."""
    outputs: list[_Output] = []

    def keep(name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        def hook(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            source = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
            value = output[0] if isinstance(output, tuple) else output
            if isinstance(value, Tensor):
                outputs.append(_Output(name, module, value, source))

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in model.named_modules()]
    was_training = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, size, size, device="meta"))
    except (RuntimeError, ValueError, AssertionError, IndexError):
        return None
    finally:
        for handle in handles:
            handle.remove()
        model.train(was_training)
    return outputs


def _cam_layer(name: str, outputs: list[_Output]) -> tuple[str, tuple[int, int] | None]:
    """The last layer before the head that still has places, and the grid of its tokens if it gives no map.

    Of a transformer that answers by its class token it is what the last attention reads: behind that, the other
    tokens have no part in the logits.
    """
    layers = [found.name for found in outputs if isinstance(found.module, nn.Linear | nn.Conv2d)]
    head = layers[-1].partition(".")[0]
    attention = [place for place, found in enumerate(outputs) if "Attention" in type(found.module).__name__]
    inside = tuple(f"{outputs[place].name}." for place in attention)
    maps = [place for place, found in enumerate(outputs) if _is_map(found, head) and not found.name.startswith(inside)]
    if attention and (not maps or maps[-1] < attention[-1]):
        read = outputs[attention[-1]].source
        before = next((found for found in reversed(outputs) if found.value is read), None)
        if before and (grid := _grid(before.value)):
            return before.name, grid
    if not maps:
        raise UsageError(f"'{name}' has no layer that can be used for CAM", hint="Choose another model.")
    return outputs[maps[-1]].name, None


def _is_map(found: _Output, head: str) -> bool:
    if found.name.partition(".")[0] in ("", head) or isinstance(found.module, nn.AdaptiveAvgPool2d):
        return False
    return found.value.ndim == 4 and found.value.shape[2:].numel() > 1


def _grid(tokens_BTD: Tensor) -> tuple[int, int] | None:
    """Rows and columns of square tokens, with or without a class token in front."""
    if tokens_BTD.ndim != 3:
        return None
    for num in (tokens_BTD.shape[1], tokens_BTD.shape[1] - 1):
        side = math.isqrt(num)
        if side > 1 and side * side == num:
            return side, side
    return None


class _RegNetSizes(TorchFunctionMode):
    """RegNet's widths are computed with tensors; on the meta device these would have no numbers to read off."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # as torch has it
        own = {"device": "cpu"} if func in (torch.arange, torch.tensor) else {}
        return func(*args, **{**(kwargs or {}), **own})


def _timm() -> Any:  # an optional package
    try:
        # Only those who ask for it have it, and it takes a second.
        import timm
    except ImportError as error:
        raise UsageError("timm is not installed", hint="Install it: pip install 'fercli[timm]'") from error
    return timm


def _no_head(name: str) -> UsageError:
    what = f"the head of '{name}' cannot be replaced by one for the project's classes"
    return UsageError(what, hint="Choose another model.")


def _unknown(library: str, network: str, known: list[str], *, is_known: bool = False) -> UsageError:
    close = get_close_matches(network, known, n=3)
    meant = f"Did you mean {' or '.join(f'{library}:{name}' for name in close)}? " if close else ""
    listed = known if len(known) < _MOST_LISTED else []
    what = f"{library} has no model '{network}'"
    if is_known:
        what = f"'{network}' of {library} is not a classification model"
    return UsageError(what, hint=meant + (f"Known: {', '.join(listed)}" if listed else ""))
