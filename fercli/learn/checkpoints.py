"""Save and load weights and plain values: files are complete or unchanged, and nothing is pickled."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from fercli.core.errors import InputError
from fercli.core.files import check_plain, read_text, replace_bytes, replace_text, sync_folder

SCHEMA = "fer.checkpoint/1"
_STATE_SLOTS = ("state-a.safetensors", "state-b.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, and what goes with them; `meta` holds only what JSON can."""

    tensors: dict[str, Tensor]
    meta: dict[str, Any]  # JSON


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> str:
    """Write `path` (.safetensors) and its .json; the sha256 comes back.

    The .json is written first and names the old file's sha256 too, so that a process killed between the two
    leaves a pair that still loads.
    """
    return _write_pair(path, tensors, meta, _previous(path))


def _write_pair(
    path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any], previous: dict[str, Any] | None
) -> str:
    data = safetensors.save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    sha256 = hashlib.sha256(data).hexdigest()
    plain = json.loads(json.dumps(dict(meta)))
    if previous and (previous["sha256"], previous["meta"]) == (sha256, plain):
        # A kill came right after this very pair was written: it is no older one.
        previous = _read_note(path).get("previous")
    note = {"schema": SCHEMA, "sha256": sha256, "meta": plain, "meta_sha256": _sha256_of(plain), "previous": previous}
    replace_text(_note_path(path), json.dumps(note, indent=1, ensure_ascii=False) + "\n")
    replace_bytes(path, data)
    # What is said to be saved survives a power cut.
    sync_folder(path.parent)
    return sha256


def load_checkpoint(path: Path) -> Checkpoint:
    """The tensors, on the CPU, and values of a checkpoint.

    Raises:
        InputError: a file is missing, is no checkpoint, or was altered after it was written.
    """
    note = _read_note(path)
    try:
        check_plain(path)
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"checkpoint '{path}' cannot be read: {error.strerror}", hint=_hint(path)) from error
    entry = _entry_of(note, hashlib.sha256(data).hexdigest())
    if entry is None:
        raise InputError(f"checkpoint '{path}' is corrupt or modified (SHA-256 mismatch)", hint=_hint(path))
    if _is_altered(entry):
        raise InputError(
            f"'{_note_path(path)}' is corrupt or modified (meta_sha256 does not match meta)", hint=_hint(path)
        )
    try:
        return Checkpoint(safetensors.load(data), dict(entry["meta"]))
    except SafetensorError as error:
        raise InputError(f"'{path}' is not a safetensors file: {error}", hint=_hint(path)) from error


def class_order_words(path: Path, wanted: Sequence[str]) -> tuple[str, ...]:
    """A sentence where a checkpoint's classes come in another order than the wanted ones; else none.

    Raises:
        InputError: its note is missing or damaged.
    """
    own = _read_note(path).get("meta", {}).get("classes") or wanted
    if list(own) == list(wanted) or sorted(own) != sorted(wanted):
        return ()  # other classes are refused by whoever loads it
    return (
        f"The classes of checkpoint '{path.name}' come in another order ({', '.join(own)}): its outputs were matched "
        f"to those of the run by name.",
    )


def save_state(folder: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write a state to resume from, in the place of the older of the two that are kept.

    Args:
        folder: the run's checkpoints folder.
        tensors: all that is needed to go on.
        meta: must hold "position", a number that grows from save to save.
    """
    held = {folder / slot: _previous(folder / slot) for slot in _STATE_SLOTS}
    older = min(held, key=lambda slot: _position(held[slot]))
    _write_pair(older, tensors, meta, held[older])


def load_state(folder: Path) -> Checkpoint | None:
    """The newest state that is unharmed; None when nothing was saved yet, or the first save was cut short.

    Raises:
        InputError: states were saved, and all of them are damaged or gone.
    """
    slots = [folder / slot for slot in _STATE_SLOTS]
    slots = [slot for slot in slots if _note_path(slot).exists() or slot.exists()]
    # The second slot is written once the first is whole: one note alone is what is left of a first save.
    if len(slots) == 1 and _was_never_written(slots[0]):
        return None
    damages = []
    for slot in sorted(slots, key=lambda slot: _position(_previous(slot)), reverse=True):
        try:
            return load_checkpoint(slot)
        except InputError as error:
            damages.append(error)
    if damages:
        raise damages[0]
    return None


def state_meta(folder: Path) -> dict[str, Any] | None:  # JSON
    """The values of the state that `load_state` gives, its tensors left where they are; None where none is unharmed."""
    held = max((_previous(folder / slot) for slot in _STATE_SLOTS), key=_position)
    return dict(held["meta"]) if held else None


def state_files(folder: Path) -> list[Path]:
    """The files of the states, which a finished run needs no more; best and last stay."""
    slots = [folder / slot for slot in _STATE_SLOTS]
    return [path for slot in slots for path in (slot, _note_path(slot)) if path.exists()]


def copy_into(target: Tensor, source: Tensor) -> Tensor:
    """`source` with the memory format and device of `target`."""
    return torch.empty_like(target, dtype=source.dtype).copy_(source)


def _note_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _hint(path: Path) -> str:
    if path.name in _STATE_SLOTS:
        return "Restore it, or train a new run: the same settings with --force, without --resume."
    other = "last" if path.stem == "best" else "best"
    return f"Restore it, use --checkpoint {other}, or train again with --force."


def _was_never_written(path: Path) -> bool:
    """Whether the note was written and the data beside it never were."""
    if path.exists():
        return False
    try:
        return not _read_note(path).get("previous")
    except InputError:
        return False


def _read_note(path: Path) -> dict[str, Any]:  # JSON
    note_path = _note_path(path)
    if path.suffix != ".safetensors":
        raise InputError(
            f"'{path}' is not a fercli checkpoint (.safetensors expected)",
            hint="Pickle files are never loaded, for security.",
        )
    try:
        note = json.loads(read_text(note_path))
    except FileNotFoundError as error:
        missing = path if not path.exists() else note_path
        raise InputError(f"checkpoint file '{missing}' does not exist", hint=_hint(path)) from error
    except (OSError, ValueError) as error:
        raise InputError(f"'{note_path}' cannot be read: {error}", hint=_hint(path)) from error
    if not isinstance(note, dict) or note.get("schema") != SCHEMA:
        raise InputError(
            f"'{note_path}' is not a {SCHEMA} file", hint="It was written by another program or a newer fercli."
        )
    return note


def _entry_of(note: Mapping[str, Any], sha256: str) -> dict[str, Any] | None:  # JSON
    """What the note says of data with this digest."""
    for entry in (note, note.get("previous")):
        if isinstance(entry, dict) and entry.get("sha256") == sha256 and isinstance(entry.get("meta"), dict):
            return {name: entry[name] for name in ("sha256", "meta", "meta_sha256") if name in entry}
    return None


def _is_altered(entry: Mapping[str, Any]) -> bool:  # JSON
    """Whether somebody changed the values; 0.1.0 noted no digest of them."""
    return "meta_sha256" in entry and entry["meta_sha256"] != _sha256_of(entry["meta"])


def _sha256_of(meta: Mapping[str, Any]) -> str:  # JSON
    return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()


def _previous(path: Path) -> dict[str, Any] | None:  # JSON
    """What the present pair of files says, without the one before it."""
    if not path.exists():
        return None
    try:
        note = _read_note(path)
    except InputError:
        return None
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    entry = _entry_of(note, sha256)
    return None if entry is None or _is_altered(entry) else entry


def _position(held: Mapping[str, Any] | None) -> int:
    """Where the state that a slot holds stands, whatever its note said before a kill; -1 where none is whole."""
    try:
        return int(held["meta"]["position"]) if held else -1
    except (KeyError, ValueError, TypeError):
        return -1
