"""A tiny project with drawn faces, labels and a split, for tests of training."""

import signal
from pathlib import Path
from typing import Any

from fercli.core.progress import SilentProgress
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Label, Split, SplitRow
from fercli.core.tables import write_table
from fercli.stages.train import TrainSettings
from tests.learn.drawn import CLASSES, write_pack

NUM_FACES = 48
_PARTS: tuple[Split, ...] = ("train", "train", "val", "test")


def drawn_project(root: Path, num: int = NUM_FACES) -> Project:
    """Faces of twelve subjects; half of the subjects train, a quarter each is val and test."""
    project = create_project(root, name="mine", classes=CLASSES)
    paths, targets = write_pack(root, num, seed=0)
    names = [f"set/{row:06d}" for row in range(num)]
    faces = [
        Face(name, "", "set", path=path, subject_id=f"s{row // 4:03d}", status="given")
        for row, (name, path) in enumerate(zip(names, paths, strict=True))
    ]
    labels = [
        Label(name, CLASSES[target], "given", "given", 0) for name, target in zip(names, targets.tolist(), strict=True)
    ]
    project.write_rows(faces, Face)
    project.write_rows(labels, Label)
    rows = [SplitRow(name, _PARTS[row // 4 % 4]) for row, name in enumerate(names)]
    write_table(project.split_path("default"), rows, SplitRow)
    return project


class Signaller(SilentProgress):
    """Asks to stop once so many steps are done."""

    def __init__(self, num_steps: int) -> None:
        self.task, self.count, self.num_steps = "", 0, num_steps

    def start(self, task: str, total: int | None = None) -> None:
        self.task = task

    def advance(self, num_items: int = 1, **fields: str) -> None:
        before = self.count
        self.count += num_items if self.task == "train" else 0
        if before < self.num_steps <= self.count:
            signal.raise_signal(signal.SIGTERM)


def quick(**changes: Any) -> TrainSettings:  # fields of TrainSettings
    """Settings that train in a second."""
    plain: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 8,
        "precision": "fp32",
        "threads": 1,
        "image_size": 24,
        "model": {"width": 16, "hidden": 32},
    }
    return TrainSettings(**(plain | changes))
