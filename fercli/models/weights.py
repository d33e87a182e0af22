"""A file of pretrained weights to a network whose backbone has them, with a report of what went where."""

import pickle
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from fercli.core.errors import InputError
from fercli.models.layouts import HEADS, LAYOUTS, Layout

# A file that fills less of a backbone than this is another network's; POSTER++'s IR-50, without stage 4, fills 0.87.
LEAST_SHARE = 0.5
_DAMAGED = "Fetch the file again; fer models --weights says where from."
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")


@dataclass(frozen=True)
class LoadReport:
    """What became of a file's entries; names are the network's own, of `unexpected` the file's.

    Attributes:
        layout: whose names the file uses.
        loaded: entries of the network that now hold the file's numbers.
        missing: entries of the backbone that the file lacks; they keep their fresh values.
        unexpected: entries of the file that the backbone has no place for.
        notes: full sentences on what a user should know.
    """

    layout: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Match:
    """A layout at a place in network and file: our full name -> name in the file, for what both have."""

    layout: Layout
    names: dict[str, str]
    found: dict[str, str]

    @property
    def share(self) -> float:
        return len(self.found) / max(1, len(self.names))


def load_backbone_weights(model: nn.Module, path: Path) -> LoadReport:
    """Fill the backbone of `model` from a file, in place; nothing in the file is executed.

    The file may be a safetensors file or a torch checkpoint, bare or wrapped in a dictionary, with prefixes such as
    `module.`; its layout is told by its names, see `layouts.LAYOUTS`. A checkpoint of the same network (our own names)
    fills the whole network save layers of other sizes, such as the head for other classes.

    Raises:
        InputError: missing or unreadable file, more than weights inside, no layout fits, or layers of another size.
    """
    tensors = read_tensors(path)
    match = max(_matches(model, tensors), key=lambda found: (found.share, len(found.found)), default=None)
    if match is None or match.share < LEAST_SHARE:
        titles = dict.fromkeys(layout.title for layout in LAYOUTS if any(_backbones(model, layout)))
        raise InputError(
            f"{path}: these weights are not of the backbone of {type(model).__name__}; "
            f"they begin with {', '.join(list(tensors)[:3]) or 'nothing'}",
            hint=f"It takes: {', '.join(titles) or 'a checkpoint of the same network'}. See fer models --weights",
        )
    resized = _copy(model, match, tensors, path)
    return _report(match, tensors, resized)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a weights file by name, on the CPU; wrappers and the prefix `module.` are taken off.

    Raises:
        InputError: missing, damaged, or a file that would have to run code to be read.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such weights file", hint="fer models --weights says where to get weights")
    if path.suffix == ".safetensors":
        try:
            return _unwrap(safetensors.torch.load_file(path))
        except (safetensors.SafetensorError, OSError) as error:
            raise InputError(f"{path}: not a readable safetensors file: {error}", hint=_DAMAGED) from error
    try:
        with warnings.catch_warnings():
            # torch warns of unusual pickles before it refuses them.
            warnings.simplefilter("ignore")
            return _unwrap(torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: holds more than weights, or is no torch file; reading it could run code",
            hint="Where you trust it, load it yourself and save its state_dict() with safetensors.torch.save_file",
        ) from error
    except (RuntimeError, EOFError, OSError, BadZipFile, ValueError, KeyError, AttributeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: not a readable weights file: {reason}", hint=_DAMAGED) from error


def _unwrap(content: object) -> dict[str, Tensor]:
    while isinstance(content, Mapping):
        inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping):
        return {}
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    return {key.removeprefix("module."): value for key, value in tensors.items()}


def _matches(model: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[_Match]:
    whole = {key: key for key in _entries(model)}
    yield _Match(Layout("a checkpoint of fercli", nn.Module, lambda _, key: key), whole, _present(whole, tensors))
    for layout in LAYOUTS:
        for prefix, backbone in _backbones(model, layout):
            renamed = {key: layout.rename(backbone, key) for key in _entries(backbone)}
            names = {prefix + key: name for key, name in renamed.items() if name is not None}
            anchor = next(iter(names.values()))
            for outer in {key.removesuffix(anchor) for key in tensors if key == anchor or key.endswith("." + anchor)}:
                full = {key: outer + name for key, name in names.items()}
                yield _Match(layout, full, _present(full, tensors))


def _backbones(model: nn.Module, layout: Layout) -> Iterator[tuple[str, nn.Module]]:
    for name, module in model.named_modules():
        if isinstance(module, layout.kind):
            yield (f"{name}." if name else ""), module


def _entries(module: nn.Module) -> list[str]:
    # Old files have no batch counter, and nothing but momentum=None reads it.
    return [key for key in module.state_dict() if not key.endswith("num_batches_tracked")]


def _present(names: Mapping[str, str], tensors: Mapping[str, Tensor]) -> dict[str, str]:
    return {key: name for key, name in names.items() if name in tensors}


def _copy(model: nn.Module, match: _Match, tensors: Mapping[str, Tensor], path: Path) -> list[str]:
    """Copy what fits; give the names that don't, which only a checkpoint of our own may have."""
    state = model.state_dict()
    is_own = match.layout.kind is nn.Module
    resized = [key for key, name in match.found.items() if not _fits(state[key], tensors[name])]
    if resized and not is_own:
        key = resized[0]
        shapes = f"{tuple(tensors[match.found[key]].shape)} in the file, {tuple(state[key].shape)} in the network"
        raise InputError(f"{path}: layer '{key}' is {shapes}", hint="The weights are of a wider or narrower network")
    with torch.no_grad():
        for key, name in match.found.items():
            if key not in resized:
                # torchvision keeps layer scales as (C, 1, 1), some files linear layers as 1x1 convolutions.
                state[key].copy_(tensors[name].reshape(state[key].shape))
    return resized


def _fits(own: Tensor, other: Tensor) -> bool:
    return own.squeeze().shape == other.squeeze().shape


def _report(match: _Match, tensors: Mapping[str, Tensor], resized: list[str]) -> LoadReport:
    missing = tuple(key for key in match.names if key not in match.found or key in resized)
    used = set(match.found.values())
    left = [key for key in tensors if key not in used and not key.endswith("num_batches_tracked")]
    heads = [key for key in left if key.startswith(HEADS)]
    notes = [f"The file's {len(heads)} entries of a head for other classes are not used."] if heads else []
    if match.layout.note:
        notes.append(match.layout.note + ".")
    stage4 = [key for key in missing if ".stages.3." in key]
    if stage4 and len(stage4) == len(missing):
        notes.append("Stage 4 is not in the file and starts fresh.")
    if resized:
        notes.append(f"Of another size in the file, so left fresh: {', '.join(resized)}.")
    return LoadReport(
        layout=match.layout.title,
        loaded=tuple(key for key in match.found if key not in resized),
        missing=missing,
        unexpected=tuple(key for key in left if key not in heads),
        notes=tuple(notes),
    )
