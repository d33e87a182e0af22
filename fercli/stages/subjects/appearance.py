"""Compute the appearance of subjects or tracks: the mean embedding of some of their faces."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from fercli.core.errors import MediaError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.data.crops import CropFiles
from fercli.vision.align import apply
from fercli.vision.appearance import AppearanceNetwork, upright

Key = TypeVar("Key", bound=Hashable)

# Faces of one person in a row look alike: so many, evenly over all, are as good as all.
_MOST_FACES = 12


@dataclass(frozen=True)
class Looks:
    """The mean unit vector of each item that has a readable face, and of the others why not."""

    vectors: Mapping[str, np.ndarray]
    num_faces: int


def looks_of(project: Project, faces: Mapping[str, Sequence[Face]], progress: Progress) -> Looks:
    """The mean appearance of each item.

    Args:
        project: holds the crops.
        faces: of each item, in order of time.
        progress: told of each item.

    Raises:
        InputError: the network is not installed.
    """
    network, crops = AppearanceNetwork(), CropFiles(project.root)
    progress.start("comparing faces", len(faces))
    vectors, num_faces = {}, 0
    for name, own in faces.items():
        pictures = [picture for face in _some(own) if (picture := _picture(crops, face)) is not None]
        if pictures:
            mean = network.embed(pictures).mean(axis=0)
            vectors[name] = mean / max(float(np.linalg.norm(mean)), 1e-9)
            num_faces += len(pictures)
        progress.advance()
    return Looks(vectors, num_faces)


def _some(faces: Sequence[Face]) -> list[Face]:
    usable = [face for face in faces if face.is_usable and face.path and face.landmarks and face.m00 is not None]
    number = min(len(usable), _MOST_FACES)
    return [usable[place * len(usable) // number] for place in range(number)]


def _picture(crops: CropFiles, face: Face) -> np.ndarray | None:
    try:
        crop = crops.read(face.path)
    except MediaError:
        return None
    if crop.ndim == 2:
        crop = np.repeat(crop[:, :, None], 3, axis=2)
    affine = np.array([[face.m00, face.m01, face.m02], [face.m10, face.m11, face.m12]], dtype=float)
    return upright(crop, apply(affine, np.array(face.landmarks)))
