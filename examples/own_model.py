"""Train your own model on the faces of a project: `python own_model.py PROJECT`.

The project needs faces, labels and a split (`fer demo` makes one). The model gets greyscale crops of 48 x 48 pixels;
the best epoch on val is evaluated on test.
"""

import sys
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

import fercli
from fercli.core.rows import Face, Label
from fercli.data.dataset import load_crops, make_reader
from fercli.data.samples import Samples, load_samples
from fercli.data.transforms import InputFormat
from fercli.learn.checkpoints import load_checkpoint
from fercli.learn.device import choose_machine
from fercli.learn.evaluate import predict_logits
from fercli.learn.recipe import Plan
from fercli.learn.trainer import Faces, Training, fit

FORM = InputFormat(size=48, channels=1, mean=(0.5,), std=(0.25,))


class TinyNet(nn.Module):
    """Four convolutions; any module from images to logits works."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        widths = (1, 16, 32, 64, 64)
        self.layers = nn.Sequential(
            *(self.block(before, after) for before, after in pairwise(widths)),
            nn.Flatten(),
            nn.Linear(64 * 3 * 3, num_classes),
        )

    @staticmethod
    def block(before: int, after: int) -> nn.Sequential:
        """Half the side, `after` channels."""
        return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2))

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Images to logits."""
        return self.layers(image_BCHW)


def main(root: Path, epochs: int) -> None:
    """Train and evaluate the model on the project at `root`."""
    project = fercli.open_project(root)
    samples = load_samples(
        project.root,
        project.classes,
        faces=project.required_rows(Face),
        labels=project.required_rows(Label),
        split_rows=project.split_rows("default"),
    )
    train, val, test = (read(samples.of_split(split)) for split in ("train", "val", "test"))
    machine = choose_machine()
    model = TinyNet(len(project.classes))
    plan = Plan(epochs=epochs, batch_size=32, lr=2e-3, schedule="cosine", augmentation={"flip": 0.5, "shift": 0.04})
    folder = project.root / "runs" / "own-model"
    meta: dict[str, object] = {"classes": project.classes}
    result = fit(model, Training(train, val, plan, form=FORM, machine=machine, seed=0, folder=folder, meta=meta))
    model.load_state_dict(load_checkpoint(folder / "checkpoints" / "best.safetensors").tensors)
    logits = predict_logits(model, test.crops, form=FORM, machine=machine, batch_size=128)
    accuracy = (logits.argmax(1) == torch.from_numpy(test.targets)).float().mean().item()
    best = result.best.epoch if result.best else 0
    print(f"{accuracy:.1%} of {len(test.targets)} test faces, best epoch {best} of {len(result.history)}")


def read(samples: Samples) -> Faces:
    """The crops of these faces, in memory."""
    crops = load_crops(make_reader(samples.root, samples.paths, FORM))
    return Faces(crops, samples.targets)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20)
