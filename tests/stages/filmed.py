"""A tiny project with a drawn film: two pupils who sway, three seconds at ten frames a second."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fercli.core.project import Project, create_project
from fercli.stages.add import AddSettings, add
from tests.stages.lesson import PLACES, SIZE, WIDTHS
from tests.vision.drawn import draw_face, draw_room
from tests.vision.videos import write_video


def film(path: Path, num_frames: int = 30, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(num_frames):
        picture = draw_room(SIZE[1], SIZE[0])
        for (x, y), width in zip(PLACES, WIDTHS, strict=True):
            draw_face(picture, (x + rng.uniform(-5, 5), y + rng.uniform(-5, 5)), width)
        pictures.append(picture)
    return write_video(path, pictures, fps=10)


def filmed_project(root: Path, videos: Sequence[Path]) -> Project:
    project = create_project(root, name="tiny", classes=("happy", "bored"))
    add(project, AddSettings(), videos)
    return project
