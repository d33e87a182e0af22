"""A tiny project with drawn faces, labels and a split, for tests of training."""

from pathlib import Path
from typing import Any

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
