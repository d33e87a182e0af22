"""Small drawn faces for tests of training: a bright oval with eyes; the mouth's curve is the class."""

from pathlib import Path

import numpy as np
import torch

from fercli.data.batches import RamCrops
from fercli.data.transforms import InputFormat
from fercli.learn.device import Machine
from fercli.learn.recipe import Plan
from fercli.learn.trainer import Faces

SIDE = 24
FORM = InputFormat(SIDE, 1, (0.5,), (0.25,))
MACHINE = Machine("cpu", "fp32", "as asked", 1)
CLASSES = ("smile", "frown")


def draw(num: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures "num side side" and their classes in turn; place, light and noise vary."""
    generator = np.random.default_rng(seed)
    targets = np.arange(num, dtype=np.int64) % 2
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    images = np.empty((num, SIDE, SIDE), np.uint8)
    for place, target in enumerate(targets):
        dx, dy = generator.uniform(-1.5, 1.5, 2)
        x, y = (columns - SIDE / 2 - dx) / (SIDE / 2), (rows - SIDE / 2 - dy) / (SIDE / 2)
        light = generator.uniform(130, 200)
        picture = np.where(x**2 + y**2 < 0.8, light, 40.0)
        picture[((np.abs(x) - 0.3) ** 2 + (y + 0.25) ** 2) < 0.012] = 20
        bend = (0.5 if target else -0.5) * (x**2 - 0.08) * 2
        picture[(np.abs(y - 0.35 - bend) < 0.07) & (np.abs(x) < 0.4)] = 20
        images[place] = np.clip(picture + generator.normal(0, 6, picture.shape), 0, 255)
    return images, targets


def faces(num: int, seed: int = 0) -> Faces:
    """The drawn pictures as what `fit` learns from."""
    images, targets = draw(num, seed)
    return Faces(RamCrops(torch.from_numpy(images[:, None])), targets)


def plan(**changes: object) -> Plan:
    """A short plan; any field may be changed."""
    plain: dict[str, object] = {"epochs": 3, "batch_size": 16, "lr": 3e-3}
    return Plan(**{**plain, **changes})  # type: ignore[arg-type]  # fields of Plan


def write_pack(root: Path, num: int, seed: int) -> tuple[list[str], np.ndarray]:
    """The drawn pictures as a packed file of a project: paths and targets."""
    images, targets = draw(num, seed)
    (root / "faces").mkdir(parents=True, exist_ok=True)
    np.save(root / "faces" / "pack.npy", images)
    return [f"faces/pack.npy#{row}" for row in range(num)], targets
