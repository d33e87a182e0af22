"""The table of networks: what each one is, eats, costs, comes from and how its paper trained it; no torch.

Every other module of this package that has `ROWS` is found by itself: a new network is listed by being there.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from fercli.core.errors import UsageError
from fercli.models.table.schema import ModelSpec, Paper, Recipe, ThopCounts

__all__ = ["ALIASES", "MODELS", "ModelSpec", "Paper", "Recipe", "ThopCounts", "find_spec"]

# The modules beside the rows.
_OTHERS = ("schema", "specs", "fer_cnn")
ALIASES = {"emonext": "emonext-base"}
# "torchvision:resnet18": the library before the colon makes the row of what stands behind it, and only then is loaded.
_LIBRARIES = {"torchvision": "torchvision_spec", "timm": "timm_spec"}


def _rows() -> Iterator[ModelSpec]:
    """The rows of all modules, in the order of the modules' names and of the rows in each."""
    for module in sorted(iter_modules([str(Path(__file__).parent)]), key=lambda found: found.name):
        if module.name not in _OTHERS:
            yield from import_module(f"fercli.models.table.{module.name}").ROWS


MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in sorted(_rows(), key=lambda spec: spec.place)}


def find_spec(name: str) -> ModelSpec:
    """The row of `name`, which may be an alias, or one made for "torchvision:NAME" or "timm:NAME".

    Raises:
        UsageError: no network has this name.
    """
    library, colon, network = name.partition(":")
    if colon and library in _LIBRARIES:
        spec: ModelSpec = getattr(import_module("fercli.models.library"), _LIBRARIES[library])(network)
        return spec
    known = ALIASES.get(name, name)
    if known in MODELS:
        return MODELS[known]
    close = get_close_matches(name, [*MODELS, *ALIASES], n=1)
    meant = f"Did you mean '{close[0]}'? " if close else ""
    raise UsageError(
        f"unknown model '{name}'", hint=f"{meant}Available models: {', '.join(MODELS)}, torchvision:NAME, timm:NAME"
    )
