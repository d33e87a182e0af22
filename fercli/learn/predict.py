"""Predict class probabilities for images or samples with the weights of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import nn

from fercli.core.errors import FerError, InputError
from fercli.core.progress import SILENT, Progress
from fercli.core.runs import read_run
from fercli.data.batches import CropSource, RamCrops
from fercli.data.dataset import load_crops, make_reader, places_by_side, prepare_alone
from fercli.data.samples import Samples
from fercli.data.transforms import InputFormat
from fercli.learn.checkpoints import load_checkpoint
from fercli.learn.device import Machine, choose_machine
from fercli.learn.evaluate import TestTime, predict_probability_batches
from fercli.models.build import build_model, find_spec
from fercli.models.table.specs import ModelSpec


@dataclass(frozen=True)
class LoadedModel:
    """A trained network, ready to predict, with what it was trained for."""

    model: nn.Module
    spec: ModelSpec
    classes: tuple[str, ...]
    form: InputFormat
    machine: Machine
    run_id: str
    checkpoint: str
    epoch: int


def load_run_model(
    run_dir: Path,
    checkpoint: str = "best",
    device: str = "auto",
    *,
    precision: str = "auto",
    classes: Sequence[str] = (),
) -> LoadedModel:
    """The network of a run with its weights.

    Args:
        run_dir: the run's folder.
        checkpoint: "best", "last", or the path of a .safetensors file with its .json beside it.
        device: "auto" or torch's name.
        precision: "auto" takes the precision that the run was trained in, where the device has it.
        classes: in the order in which their logits are to come; none means the checkpoint's own order.

    Raises:
        InputError: the checkpoint is missing, altered, does not fit its own description, or has other classes.
    """
    path = run_dir / "checkpoints" / f"{checkpoint}.safetensors" if checkpoint in ("best", "last") else Path(checkpoint)
    saved = load_checkpoint(path)
    try:
        spec = find_spec(saved.meta["model"])
        own = tuple(saved.meta["classes"])
        model = build_model(spec.name, num_classes=len(own), **saved.meta["model_options"])
        model.load_state_dict(saved.tensors)
        form = InputFormat.from_json(saved.meta["form"])
        epoch = int(saved.meta["epoch"])
        temperature = _temperature(saved.meta)
    except (FerError, KeyError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"checkpoint '{path}' does not match the model: {reason}", hint="Train again.") from error
    if temperature != 1:
        model.register_forward_hook(lambda _module, _inputs, logits_BK: logits_BK / temperature)
    if classes and tuple(classes) != own:
        _reorder(model, own, classes, path)
    machine = choose_machine(device, _precision_of(run_dir, device) if precision == "auto" else precision)
    model = model.to(machine.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]  # not in torch's stub
    return LoadedModel(model, spec, tuple(classes or own), form, machine, run_dir.name, checkpoint, epoch)


def _temperature(meta: Mapping[str, Any]) -> float:
    """What the logits are divided by so that probabilities are as sure as they are right; 1 where none was fitted.

    Raises:
        ValueError: no logits can be divided by it.
    """
    temperature = float(meta.get("temperature", 1.0))
    if not (isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature {temperature}")
    return temperature


def _reorder(model: nn.Module, own: Sequence[str], wanted: Sequence[str], path: Path) -> None:
    """Let the logits of `model`, which come in the order of its `own` classes, come in the wanted order.

    Raises:
        InputError: the classes are others.
    """
    if sorted(own) != sorted(wanted):
        strange = [*sorted({*own} - {*wanted}), *(f"no '{name}'" for name in wanted if name not in own)]
        raise InputError(
            f"checkpoint '{path}' has other classes than the run: {', '.join(strange)}",
            hint=f"Name a checkpoint that was trained on {', '.join(wanted)}.",
        )
    places = [list(own).index(name) for name in wanted]
    # A hook, so that the names of layers, which Grad-CAM looks up, stay what they are.
    model.register_forward_hook(lambda _module, _inputs, logits_BK: logits_BK[:, places])


def predict_probabilities(
    loaded: LoadedModel,
    faces: Samples | Sequence[UInt8[np.ndarray, "_ _ 3"]],
    *,
    test_time: TestTime = "none",
    batch_size: int = 128,
    progress: Progress = SILENT,
) -> Float32[np.ndarray, "faces classes"]:
    """Probability of each class for each face, rows in the order of `faces` and summing to 1.

    Args:
        loaded: from `load_run_model`.
        faces: samples of the project, or upright RGB crops.
        test_time: "flip" averages with the mirror image, "ten-crop" over five crops and their mirror images.
        batch_size: pictures at once.
        progress: told of every batch.

    Raises:
        InputError: a crop is missing or damaged.
    """
    groups = _by_side(faces, loaded.form)
    progress.start("predict", len(faces))
    found = np.zeros((len(faces), len(loaded.classes)), np.float32)
    for places in groups:
        alike = faces.select(places) if isinstance(faces, Samples) else [faces[place] for place in places]
        crops, done = _crops_of(loaded, alike), 0
        for part in predict_probability_batches(
            loaded.model, crops, form=loaded.form, machine=loaded.machine, batch_size=batch_size, test_time=test_time
        ):
            found[places[done : done + len(part)]] = part
            done += len(part)
            progress.advance(len(part))
    return found


def _by_side(faces: Samples | Sequence[UInt8[np.ndarray, "_ _ 3"]], form: InputFormat) -> list[list[int]]:
    """Places of crops that go into one batch: those of one size, for no crop is scaled by what lies beside it."""
    if isinstance(faces, Samples):
        return list(places_by_side(faces.root, faces.paths, form).values())
    found: dict[int, list[int]] = {}
    for place, face in enumerate(faces):
        found.setdefault(min(form.size, max(face.shape[:2])), []).append(place)
    return list(found.values())


def _crops_of(loaded: LoadedModel, faces: Samples | Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> CropSource:
    """Crops of one size as the network stores them."""
    form = loaded.form
    if isinstance(faces, Samples):
        crops = load_crops(make_reader(faces.root, faces.paths, form), num_workers=0, is_checked=True)
        if crops.failures:
            place, error = next(iter(crops.failures.items()))
            count = f", and {len(crops.failures) - 1:,} more" if len(crops.failures) > 1 else ""
            problem = f"face '{faces.face_ids[place]}' cannot be read: {error.message}{count}"
            raise InputError(problem, hint=error.hint) from error
        return crops
    return RamCrops(torch.from_numpy(np.stack([prepare_alone(face, form) for face in faces])))


def _precision_of(run_dir: Path, device: str) -> str:
    """The precision of the run if this device would choose it too, else what the device prefers."""
    if not (run_dir / "run.json").exists():
        return "auto"
    trained = str(read_run(run_dir).record.decided.get("precision", "auto"))
    return "fp32" if trained == "fp32" else "auto"
