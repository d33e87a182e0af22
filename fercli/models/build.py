"""Build a model from its name and options."""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from torch import nn

from fercli.core.errors import SettingsError
from fercli.models.table.specs import ModelSpec, find_spec

__all__ = ["build_model", "check_options", "find_spec", "model_options"]

# Numbers of layers that a network can do without; all other whole numbers are at least 1.
_MAY_BE_ZERO = ("depth", "depths", "blocks", "repeats", "ir_blocks", "landmark_blocks", "shared")


def build_model(name: str, *, num_classes: int, **options: Any) -> nn.Module:  # Any: each network has its own options
    """Build the network `name` with fresh weights drawn from torch's global generator.

    Args:
        name: a key of `MODELS`, an alias, "torchvision:NAME" or "timm:NAME".
        num_classes: size of the last layer, at least 2.
        options: keyword arguments of the network's class, as `--set model.KEY=VALUE` gives them; lists pass for
            tuples and whole numbers for floats.

    Raises:
        UsageError: unknown name.
        SettingsError: unknown option, or a value it cannot take.
    """
    spec = find_spec(name)
    if num_classes < 2:
        raise SettingsError(
            f"model '{name}' needs at least 2 classes, not {num_classes}", hint="List at least two classes in fer.toml."
        )
    builder = _load_builder(spec)
    given = {**spec.options, **check_options(name, options)}
    try:
        model = builder(num_classes, **given)
    except ValueError as error:
        raise SettingsError(f"model '{name}': {error}", hint="Change it with --set model.KEY=VALUE") from error
    # What layers raise on sizes that do not go together, or that no memory holds.
    except (RuntimeError, ArithmeticError, IndexError) as error:
        words = ", ".join(f"{key}={value}" for key, value in options.items()) or "its own options"
        reason = (str(error) or type(error).__name__).splitlines()[0]
        hint = "Change it with --set model.KEY=VALUE"
        raise SettingsError(f"model '{name}' cannot be built with {words}: {reason}", hint=hint) from error
    return model


def check_options(name: str, options: Mapping[str, object]) -> dict[str, object]:
    """The options of network `name` as its class takes them.

    Raises:
        UsageError: unknown name.
        SettingsError: unknown option, or a value it cannot take.
    """
    builder = _load_builder(find_spec(name))
    known, hints = _parameters(builder), _hints(builder)
    checked: dict[str, object] = {}
    for key, value in options.items():
        if key not in known:
            close = get_close_matches(key, known, n=1)
            meant = f"Did you mean '{close[0]}'? " if close else ""
            raise SettingsError(
                f"model '{name}' has no option '{key}'", hint=f"{meant}Available options: {', '.join(known) or 'none'}"
            )
        try:
            checked[key] = _fit(value, hints[key])
            _check_size(checked[key], lowest=0 if key in _MAY_BE_ZERO else 1)
        except TypeError as error:
            raise SettingsError(
                f"invalid value {value!r} for option '{key}' of model '{name}'", hint=f"Expected {error}."
            ) from None
    return checked


def model_options(name: str) -> dict[str, object]:
    """The options of network `name` with the values they have when nothing is given."""
    spec = find_spec(name)
    defaults = {key: parameter.default for key, parameter in _parameters(_load_builder(spec)).items()}
    return {**defaults, **{key: value for key, value in spec.options.items() if key in defaults}}


def _load_builder(spec: ModelSpec) -> Callable[..., nn.Module]:
    module, _, attribute = spec.builder.partition(":")
    builder: Callable[..., nn.Module] = getattr(import_module(module), attribute)
    return builder


def _parameters(builder: Callable[..., nn.Module]) -> dict[str, inspect.Parameter]:
    """The options that a user may set; which network of a library it is, its name says."""
    parameters = inspect.signature(builder).parameters
    return {key: parameter for key, parameter in parameters.items() if key not in ("num_classes", "network")}


def _hints(builder: Callable[..., nn.Module]) -> dict[str, Any]:  # type annotations, for which there is no type
    return get_type_hints(builder.__init__ if inspect.isclass(builder) else builder)


def _fit(value: object, hint: Any) -> object:  # Any: a type annotation, for which the language has no type
    """`value` as `hint` wants it; TypeError says in words what would fit."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value in arguments:
            return value
        raise TypeError(" | ".join(str(choice) for choice in arguments))
    if origin in (Union, UnionType):
        return _fit_any(value, arguments)
    if origin is tuple:
        return _fit_tuple(value, arguments)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", NoneType: "nothing"}
    raise TypeError(words.get(hint, str(hint)))


def _fit_any(value: object, choices: tuple[Any, ...]) -> object:
    words = []
    for choice in choices:
        try:
            return _fit(value, choice)
        except TypeError as error:
            words.append(str(error))
    raise TypeError(" or ".join(words))


def _fit_tuple(value: object, members: tuple[Any, ...]) -> object:
    is_open = len(members) == 2 and members[1] is Ellipsis
    if not isinstance(value, list | tuple) or not (is_open or len(value) == len(members)):
        raise TypeError("a list" if is_open else f"a list of {len(members)}")
    hints = members[:1] * len(value) if is_open else members
    return tuple(_fit(member, hint) for member, hint in zip(value, hints, strict=True))


def _check_size(value: object, *, lowest: int) -> None:
    """TypeError says in words which numbers would fit."""
    if isinstance(value, tuple):
        for member in value:
            _check_size(member, lowest=lowest)
    elif isinstance(value, float) and not (isfinite(value) and value >= 0):
        raise TypeError("a number of at least 0")
    elif isinstance(value, int) and not isinstance(value, bool) and value < lowest:
        raise TypeError(f"whole numbers of at least {lowest}")
