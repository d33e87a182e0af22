"""What a TensorFlow.js model.json says of its weights, and the .bin files beside it; standard library only."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from fercli.core.errors import InputError

Stored = Literal["float32", "float16", "uint8", "uint16", "int32", "bool"]
_AGAIN = "Download the .json and all its .bin files again"


@dataclass(frozen=True)
class StoredWeight:
    """One entry of the manifest: numbers of kind `stored`, times `scale`, plus `low`."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    stored: Stored
    scale: float
    low: float

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class WeightGroup:
    """Weights that lie one after the other in `files`, read as one."""

    files: tuple[Path, ...]
    weights: tuple[StoredWeight, ...]


def read_manifest(path: Path) -> list[WeightGroup]:
    """The groups of weights that `path` describes, as the TensorFlow.js converter writes its "weightsManifest".

    Raises:
        InputError: not such a file, or one whose .bin files are not beside it.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        # A part of model.json, or a file of its own.
        groups = found["weightsManifest"] if isinstance(found, dict) else found
        return [
            WeightGroup(tuple(_beside(path, name) for name in group["paths"]), tuple(map(_weight, group["weights"])))
            for group in groups
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"{path}: not a TensorFlow.js model: {reason}",
            hint="Use the .json file that lists the weights and .bin files",
        ) from error


def weight_files(path: Path) -> list[Path]:
    """The files that hold the weights of `path`: itself, or with a model.json its .bin files too.

    Raises:
        InputError: a model.json that is none, or a .bin file that is missing.
    """
    if path.suffix != ".json":
        return [path]
    parts = [part for group in read_manifest(path) for part in group.files]
    for part in parts:
        if not part.is_file():
            raise InputError(f"{part}: no such file; {path.name} needs it", hint=_AGAIN)
    return [path, *parts]


def refuse(path: Path, reason: str) -> NoReturn:
    """Raise the InputError of a model whose files do not fit together."""
    raise InputError(f"{path}: not a readable TensorFlow.js model: {reason}", hint=_AGAIN)


def _beside(path: Path, name: object) -> Path:
    if not isinstance(name, str) or name in ("", ".", "..") or any(sign in name for sign in "/\\:\0"):
        refuse(path, f"it names {name!r}, which is not a file beside it")
    return path.parent / name


def _weight(entry: Any) -> StoredWeight:  # JSON
    quantised = entry.get("quantization", {})
    stored, shape = quantised.get("dtype", entry["dtype"]), tuple(entry["shape"])
    if stored not in get_args(Stored) or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"weight {entry['name']!r} is {stored!r} of shape {shape!r}")
    scale, low = float(quantised.get("scale", 1)), float(quantised.get("min", 0))
    return StoredWeight(str(entry["name"]), shape, str(entry["dtype"]), stored, scale, low)
