"""The weights of a TensorFlow.js model, model.json with its .bin files beside it, in torch's layout; no code is run."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fercli.core.errors import InputError
from fercli.models.pretrained.tfjs_files import Stored, StoredWeight, read_manifest, refuse

_DTYPES: dict[Stored, str] = {
    "float32": "<f4",
    "float16": "<f2",
    "uint8": "|u1",
    "uint16": "<u2",
    "int32": "<i4",
    "bool": "|b1",
}


def read_tfjs(path: Path) -> dict[str, Tensor]:
    """The weights of the model that `path` describes, by name; convolutions (O, I, H, W), dense layers (O, I).

    Quantised weights become float32. Constants of the graph, such as the 6 of ReLU6, are left out.

    Raises:
        InputError: not such a file, or a .bin file that is missing, of another length, or elsewhere.
    """
    tensors: dict[str, Tensor] = {}
    for group in read_manifest(path):
        content = b"".join(map(_read, group.files))
        offset = 0
        for weight in group.weights:
            dtype = np.dtype(_DTYPES[weight.stored])
            end = offset + weight.count * dtype.itemsize
            if end > len(content):
                refuse(path, f"weight '{weight.name}' ends at byte {end}, its .bin files at {len(content)}")
            if weight.dtype == "float32" and weight.shape:
                tensors[weight.name] = _to_torch(weight, np.frombuffer(content[offset:end], dtype))
            offset = end
        if offset != len(content):
            refuse(path, f"its .bin files have {len(content)} bytes, its weights take {offset}")
    return tensors


def _read(part: Path) -> bytes:
    try:
        return part.read_bytes()
    except OSError as error:
        raise InputError(f"{part}: cannot be read: {error}", hint="It belongs to the .json file beside it") from error


def _to_torch(weight: StoredWeight, numbers: np.ndarray) -> Tensor:
    values = numbers.astype(np.float32) * np.float32(weight.scale) + np.float32(weight.low)
    tensor = torch.from_numpy(values.reshape(weight.shape))
    if tensor.ndim == 4:
        # (H, W, I, O); of depthwise ones (H, W, C, times).
        is_depthwise = "depthwise" in weight.name.rpartition("/")[2]
        tensor = tensor.permute(2, 3, 0, 1).flatten(0, 1)[:, None] if is_depthwise else tensor.permute(3, 2, 0, 1)
    elif tensor.ndim == 2:
        tensor = tensor.T
    return tensor.contiguous()
