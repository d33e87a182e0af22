"""Grey crops, their classes and sets in one small file, and back; needs numpy and safetensors alone.

A pixel is kept as its difference from what JPEG-LS predicts of its neighbours (the median of left, above and left +
above - corner), compressed by LZMA: FER2013's 31,947 faces of a split take 49 MB.
"""

import json
import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

SCHEMA = "fer.packed-faces/1"
SIDES = ("train", "val", "test")
# What is left is noise: hardly anything repeats, so no time goes into looking for it.
_FILTERS = [
    {
        "id": lzma.FILTER_LZMA2,
        "preset": 6,
        "lc": 4,
        "lp": 0,
        "pb": 0,
        "dict_size": 4096,
        "nice_len": 8,
        "mf": lzma.MF_HC3,
        "depth": 1,
    }
]


@dataclass(frozen=True)
class PackedFaces:
    """Crops "faces side side", the class and the set of each.

    Attributes:
        num_left_out: training crops that were left out so that the file stays small.
    """

    pixels: np.ndarray
    targets: np.ndarray
    sides: np.ndarray
    classes: tuple[str, ...]
    data_set: str
    num_left_out: int = 0

    def of(self, side: str) -> tuple[np.ndarray, np.ndarray]:
        """Crops and targets of one set."""
        chosen = self.sides == SIDES.index(side)
        return self.pixels[chosen], self.targets[chosen].astype(np.int64)


def write_packed(path: Path, faces: PackedFaces, *, limit_bytes: int) -> PackedFaces:
    """Write what stays below the limit; where all would not, training crops drawn by a fixed seed are left out."""
    data = _compressed(faces.pixels)
    while len(data) > limit_bytes:
        share = limit_bytes / len(data)
        faces = _fewer(faces, round(len(faces.targets) * (1 - share) * 1.02) + 1)
        data = _compressed(faces.pixels)
    tensors = {
        "pixels": np.frombuffer(data, np.uint8),
        "targets": faces.targets.astype(np.uint8),
        "sides": faces.sides.astype(np.uint8),
    }
    about = {
        "schema": SCHEMA,
        "classes": json.dumps(faces.classes),
        "shape": json.dumps(faces.pixels.shape),
        "data_set": faces.data_set,
        "num_left_out": str(faces.num_left_out),
    }
    save_file(tensors, path, about)
    return faces


def read_packed(path: Path) -> PackedFaces:
    """The inverse of `write_packed`.

    Raises:
        ValueError: the file is another one.
    """
    with safe_open(path, "numpy") as file:
        about = file.metadata() or {}
        if about.get("schema") != SCHEMA:
            raise ValueError(f"'{path}' is no {SCHEMA} file")
        tensors = {name: file.get_tensor(name) for name in ("pixels", "targets", "sides")}
    data = lzma.decompress(tensors["pixels"].tobytes(), format=lzma.FORMAT_XZ)
    residual = np.frombuffer(data, np.uint8).reshape(json.loads(about["shape"]))
    return PackedFaces(
        _restored(residual),
        tensors["targets"],
        tensors["sides"],
        tuple(json.loads(about["classes"])),
        about["data_set"],
        int(about["num_left_out"]),
    )


def _fewer(faces: PackedFaces, num: int) -> PackedFaces:
    train = np.flatnonzero(faces.sides == SIDES.index("train"))
    gone = np.random.default_rng(0).choice(train, min(num, len(train)), replace=False)
    if not len(gone):
        raise ValueError("the validation and the test set alone are above the limit")
    kept = np.delete(np.arange(len(faces.targets)), gone)
    left_out = faces.num_left_out + len(gone)
    return PackedFaces(
        faces.pixels[kept], faces.targets[kept], faces.sides[kept], faces.classes, faces.data_set, left_out
    )


def _compressed(pixels: np.ndarray) -> bytes:
    wide = np.pad(pixels.astype(np.int16), ((0, 0), (1, 0), (1, 0)))
    guess = _predicted(wide[:, 1:, :-1], wide[:, :-1, 1:], wide[:, :-1, :-1])
    residual = (pixels.astype(np.int16) - guess).astype(np.uint8)
    return lzma.compress(residual.tobytes(), format=lzma.FORMAT_XZ, filters=_FILTERS)


def _restored(residual: np.ndarray) -> np.ndarray:
    num, height, width = residual.shape
    step = np.ascontiguousarray(residual.transpose(1, 2, 0)).astype(np.int16)
    plane = np.zeros((height + 1, width + 1, num), np.int16)
    for row in range(height):
        for column in range(width):
            guess = _predicted(plane[row + 1, column], plane[row, column + 1], plane[row, column])
            plane[row + 1, column + 1] = (step[row, column] + guess) & 255
    return np.ascontiguousarray(plane[1:, 1:].transpose(2, 0, 1).astype(np.uint8))


def _predicted(left: np.ndarray, above: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """The median of the neighbours and of their plane (Weinberger, Seroussi and Sapiro, JPEG-LS, 2000)."""
    low, high = np.minimum(left, above), np.maximum(left, above)
    return np.asarray(np.clip(left + above - corner, low, high))


def split_numbers(sides: Sequence[str]) -> np.ndarray:
    """The number of each set's name."""
    return np.array([SIDES.index(side) for side in sides], np.uint8)
