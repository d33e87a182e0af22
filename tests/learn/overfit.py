"""256 faces of FER2013 learnt by heart: what a network that trains at all must manage, with the curve.

`python -m tests.learn.overfit FOLDER [NAME...]` writes FOLDER/<network>.csv, the curves kept in docs/results/overfit/.
"""

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from fercli.data.batches import RamCrops
from fercli.data.transforms import InputFormat
from fercli.learn.device import choose_machine
from fercli.learn.recipe import Plan
from fercli.learn.trainer import Faces, FitResult, Training, fit
from fercli.models.build import build_model
from fercli.models.table.specs import MODELS
from tests.models.small import SMALL

NUM_FACES = 256
# Fed as they are; the other colour networks are narrowed, for whole they would take minutes to hours on a processor.
WHOLE = ("aer-cnn", "msff-cnn", "drf-msam", "fercli-compact", "fercli-mobilenet")
EPOCHS = {
    "eac": 80,
    "emonext-tiny": 100,
    "aer-cnn": 70,
    "drf-msam": 40,
    "msff-cnn": 8,
    "fercli-compact": 14,
    "poster-pp": 60,
}
LR = {"aer-cnn": 2e-2, "drf-msam": 1e-2, "msff-cnn": 1e-3, "fercli-compact": 3e-3, "poster-pp": 1e-3}


# oneDNN of torch 2.15 writes beyond its memory in the backward pass of a strided 1x1 convolution of 8 channels
# (fp32, channels last), so no layer is as narrow here.
WIDER = {
    "sfer-mdfae": {"widths": (16, 24, 32, 48)},
    "poster": {"ir_widths": (16, 16, 32)},
    # Frozen and untrained, the landmarks' network would hand on noise.
    "poster-pp": {"landmark_width": 0.25, "freeze_landmarks": False},
    "eac": {"width": 16},
    # A block that is skipped at random keeps a network from learning by heart, which is its purpose.
    "emonext-tiny": {"drop_path": 0.0},
}


def real_faces() -> Faces:
    """The first faces of Training, in the published order."""
    path = Path(os.environ["FER_REAL_DATA"]) / "unpack_fer2013.py"
    spec = importlib.util.spec_from_file_location("unpack_fer2013", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    data = module.load()
    pixels = torch.from_numpy(data["pixels"][:NUM_FACES, None].copy())
    return Faces(RamCrops(pixels), data["emotion"][:NUM_FACES].astype(np.int64))


def overfit(name: str, faces: Faces, folder: Path, *, is_whole: bool) -> FitResult:
    """Train `name` on nothing but `faces`, unchanged from epoch to epoch; one thread."""
    small, spec = SMALL[name], MODELS[name]
    options = {} if is_whole else {**small.options, **WIDER.get(name, {})}
    size = spec.input_size if is_whole else small.size or spec.input_size
    torch.manual_seed(0)
    model = build_model(name, num_classes=7, **options)
    plan = Plan(
        epochs=EPOCHS.get(name, 25),
        batch_size=32,
        lr=LR.get(name, 3e-3),
        objective=spec.objective,
        optimizer="adamw",
        adds_norms=True,
        schedule="one-cycle",
        clip_norm=5.0,
    )
    form = InputFormat.of_spec(spec, size=size)
    machine = choose_machine("cpu", "fp32", 1)
    meta: dict[str, object] = {"classes": list(range(7))}
    training = Training(faces, None, plan, form=form, machine=machine, seed=0, folder=folder, meta=meta)
    return fit(model, training)


def main(out: Path, names: list[str]) -> None:
    """Write the curve of each network into `out`."""
    faces = real_faces()
    out.mkdir(parents=True, exist_ok=True)
    for name in names or list(MODELS):
        with tempfile.TemporaryDirectory() as folder:
            result = overfit(name, faces, Path(folder), is_whole=name in WHOLE)
            shutil.copy(Path(folder) / "metrics.csv", out / f"{name}.csv")
        last = result.history[-1]
        sys.stdout.write(f"{name} {last.train_accuracy:.1%} {last.cpu_s:.1f} s an epoch\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
