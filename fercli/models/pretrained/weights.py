"""Load pretrained weights into the backbones of a model, and report what was loaded."""

import pickle
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from fercli.core.errors import InputError
from fercli.core.words import counted
from fercli.models.networks.backbones import FrozenLandmarks, MobileFaceNet
from fercli.models.pretrained.layouts import HEADS, LAYOUTS, Layout
from fercli.models.pretrained.tfjs import read_tfjs

# A file that fills less of a backbone than this is another network's; POSTER++'s IR-50, without stage 4, fills 0.87.
LEAST_SHARE = 0.5
_DAMAGED = "Download the file again (see `fer models --weights`)."
# Wrappers within wrappers; a damaged file may hold itself.
_MOST_WRAPPERS = 8
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")
# torchvision's DenseNet files are of a time when module names could have dots: norm.1 is norm1 today.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])(?=\.)")
# A checkpoint with the network's own names, and where it belongs: no module is called so.
_OWN = Layout("the network's own names", nn.Module, lambda _, key: key)
_WHOLE = "*"
_FRESH_LANDMARKS = (
    "The landmark network is not in the file: it is random and frozen, which is of little use. "
    "Set model.freeze_landmarks=false, or use one file with both backbones; see docs/models.md."
)


@dataclass(frozen=True)
class LoadReport:
    """What became of a file's entries; names are the network's own, of `unexpected` the file's.

    Attributes:
        layout: whose names the file uses; two, joined by "and", where it holds two backbones.
        loaded: entries of the network that now hold the file's numbers.
        missing: entries of the backbones that the file lacks; they keep their fresh values.
        unexpected: entries of the file that the network has no place for.
        notes: full sentences on what a user should know.
        folds_norms: whether normalisation came without statistics, so that `refit.refit_norms` must go before training.
    """

    layout: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    notes: tuple[str, ...]
    folds_norms: bool = False


@dataclass(frozen=True)
class _Match:
    """A layout at a place in network and file: our full name -> name in the file, for what both have."""

    layout: Layout
    place: str
    names: dict[str, str]
    found: dict[str, str]

    @property
    def share(self) -> float:
        return len(self.found) / max(1, len(self.names))

    @property
    def rank(self) -> tuple[float, int]:
        return self.share, len(self.found)


def load_backbone_weights(model: nn.Module, path: Path) -> LoadReport:
    """Fill the backbones of `model` from a file, in place; nothing in the file is executed.

    The file may be a safetensors file, a torch checkpoint, or a TensorFlow.js model.json with its .bin files beside it;
    bare or wrapped in a dictionary, with prefixes such as `module.`; its layout is told by its names, see
    `layouts.LAYOUTS`. Where a network has two backbones, a file that holds both, each behind a prefix of its own, fills
    both. A checkpoint of the same network (our own names) fills the whole network save layers of other sizes, such as
    the head for other classes.

    Raises:
        InputError: missing or unreadable file, more than weights inside, no layout fits, layers of another size, or
            numbers that are none.
    """
    tensors = read_tensors(path)
    matches = _best_matches(model, tensors)
    if not matches:
        titles = dict.fromkeys(layout.title for layout in LAYOUTS if any(_backbones(model, layout)))
        raise InputError(
            f"{path}: weights do not match the backbone of {type(model).__name__}; "
            f"first keys: {', '.join(list(tensors)[:3]) or 'none'}",
            hint=f"Expected: {', '.join(titles) or 'a checkpoint of the same model'}. See `fer models --weights`.",
        )
    # All sizes are looked at before any number is copied: a refused file leaves the network as it was.
    resized = [key for match in matches for key in _resized(model, match, tensors, path)]
    _check_numbers(model, matches, tensors, resized, path)
    for match in matches:
        _copy(model, match, tensors, resized)
    return _report(model, matches, tensors, resized)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a weights file by name, on the CPU; wrappers and the prefix `module.` are taken off.

    Raises:
        InputError: missing, damaged, a file that would have to run code to be read, or one with an entry that is no
            plain table of real numbers.
    """
    tensors = _read_any(path)
    for name, value in tensors.items():
        if kind := _odd_kind(value):
            raise InputError(f"{path}: entry '{name}' is {kind}", hint="Save the weights as plain tensors of numbers.")
    return tensors


def _read_any(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"{path}: no such weights file", hint="See `fer models --weights` for where to get weights.")
    if path.suffix == ".json":
        return read_tfjs(path)
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
            f"{path}: contains more than weights, or is not a torch file; loading it could run code",
            hint="If you trust it, load it yourself and save its state_dict() with safetensors.torch.save_file",
        ) from error
    except (RuntimeError, EOFError, OSError, BadZipFile, ValueError, KeyError, AttributeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: not a readable weights file: {reason}", hint=_DAMAGED) from error


def _odd_kind(value: Tensor) -> str:
    """What keeps a tensor from being copied number by number; nothing as a rule."""
    if value.is_quantized:
        return "quantised"
    if value.layout is not torch.strided or value.is_nested:
        return "sparse or nested"
    if value.is_meta:
        return "without its numbers (on the meta device)"
    return "complex" if value.is_complex() else ""


def _unwrap(content: object) -> dict[str, Tensor]:
    for _ in range(_MOST_WRAPPERS):
        if not isinstance(content, Mapping):
            break
        content = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), content)
    if not isinstance(content, Mapping):
        return {}
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    return {_OLD_DENSENET.sub(r"\1\2", key.removeprefix("module.")): value for key, value in tensors.items()}


def _best_matches(model: nn.Module, tensors: Mapping[str, Tensor]) -> list[_Match]:
    """The whole network if the file is a checkpoint of it, else the best layout for each backbone that one fits."""
    best: dict[str, _Match] = {}
    for match in _matches(model, tensors):
        known = best.get(match.place)
        if match.share >= LEAST_SHARE and (known is None or match.rank > known.rank):
            best[match.place] = match
    whole = best.pop(_WHOLE, None)
    if whole and all(whole.rank >= part.rank for part in best.values()):
        return [whole]
    return list(best.values())


def _matches(model: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[_Match]:
    whole = {key: key for key in _entries(model)}
    yield _Match(_OWN, _WHOLE, whole, _present(whole, tensors))
    for layout in LAYOUTS:
        for prefix, backbone in _backbones(model, layout):
            renamed = {key: layout.rename(backbone, key) for key in _entries(backbone)}
            names = {prefix + key: name for key, name in renamed.items() if name is not None}
            anchor = next(iter(names.values()))
            for outer in {key.removesuffix(anchor) for key in tensors if key == anchor or key.endswith("." + anchor)}:
                full = {key: outer + name for key, name in names.items()}
                yield _Match(layout, prefix, full, _present(full, tensors))


def _backbones(model: nn.Module, layout: Layout) -> Iterator[tuple[str, nn.Module]]:
    for name, module in model.named_modules():
        if isinstance(module, layout.kind):
            yield (f"{name}." if name else ""), module


def _entries(module: nn.Module) -> list[str]:
    # Whole numbers are counters and indices, which old files may lack and no network learns.
    return [key for key, value in module.state_dict().items() if value.is_floating_point()]


def _present(names: Mapping[str, str], tensors: Mapping[str, Tensor]) -> dict[str, str]:
    return {key: name for key, name in names.items() if name in tensors}


def _resized(model: nn.Module, match: _Match, tensors: Mapping[str, Tensor], path: Path) -> list[str]:
    """Names of layers that the file has in another size, which only a checkpoint of our own may have."""
    state = model.state_dict()
    resized = [key for key, name in match.found.items() if not _fits(state[key], tensors[name])]
    is_other = len(match.found) - len(resized) < LEAST_SHARE * len(match.names)
    if resized and (match.layout is not _OWN or is_other):
        key = resized[0]
        shapes = f"{tuple(tensors[match.found[key]].shape)} in the file, {tuple(state[key].shape)} in the model"
        raise InputError(f"{path}: layer '{key}' is {shapes}", hint="The weights belong to a wider or narrower model")
    return resized


def _check_numbers(
    model: nn.Module, matches: Sequence[_Match], tensors: Mapping[str, Tensor], resized: Collection[str], path: Path
) -> None:
    """Refuse infinite numbers and those that are none, where they would be used."""
    state = model.state_dict()
    for key, name in ((key, name) for match in matches for key, name in match.found.items() if key not in resized):
        if not torch.isfinite(tensors[name].to(state[key].dtype)).all():
            raise InputError(f"{path}: entry '{name}' holds numbers that are not finite", hint=_DAMAGED)


@torch.no_grad()
def _copy(model: nn.Module, match: _Match, tensors: Mapping[str, Tensor], resized: Collection[str]) -> None:
    state = model.state_dict()
    for key, name in match.found.items():
        if key not in resized:
            # torchvision keeps layer scales as (C, 1, 1), some files linear layers as 1x1 convolutions.
            state[key].copy_(tensors[name].reshape(state[key].shape))


def _fits(own: Tensor, other: Tensor) -> bool:
    return own.squeeze().shape == other.squeeze().shape


def _report(
    model: nn.Module, matches: Sequence[_Match], tensors: Mapping[str, Tensor], resized: list[str]
) -> LoadReport:
    missing = tuple(key for match in matches for key in match.names if key not in match.found or key in resized)
    used = {name for match in matches for name in match.found.values()}
    left = [key for key, value in tensors.items() if key not in used and value.is_floating_point()]
    heads = [key for key in left if key.startswith(HEADS)]
    notes = [f"Not used: {counted(len(heads), 'entry', 'entries')} of a head for other classes."] if heads else []
    notes += [f"{note}." for note in dict.fromkeys(_note(match.layout, heads, tensors) for match in matches) if note]
    stage4 = [key for key in missing if ".stages.3." in key]
    if stage4 and len(stage4) == len(missing):
        notes.append("Stage 4 is not in the file and is initialised at random.")
    if resized:
        notes.append(f"Different size in the file, so initialised at random: {', '.join(resized)}.")
    if any(isinstance(part, FrozenLandmarks) for part in model.modules()) and not _fills_landmarks(matches):
        notes.append(_FRESH_LANDMARKS)
    return LoadReport(
        layout=" and ".join(match.layout.title for match in matches),
        loaded=tuple(key for match in matches for key in match.found if key not in resized),
        missing=missing,
        unexpected=tuple(key for key in left if key not in heads),
        notes=tuple(notes),
        folds_norms=any(match.layout.folds_norms for match in matches),
    )


def _note(layout: Layout, heads: Sequence[str], tensors: Mapping[str, Tensor]) -> str:
    """What is said of a layout: of the training that the file's head points to, where several share the names."""
    sizes = [len(tensors[name]) for name in heads if name.endswith("weight")]
    return next((layout.notes_by_classes[size] for size in sizes if size in layout.notes_by_classes), layout.note)


def _fills_landmarks(matches: Sequence[_Match]) -> bool:
    return any(match.layout is _OWN or issubclass(match.layout.kind, MobileFaceNet) for match in matches)
