"""Read crops and frames only when asked, to tell people of one video apart by their looks and find its shots."""

import itertools
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

import numpy as np

from fercli.core.errors import MediaError
from fercli.core.project import Project
from fercli.core.rows import Face, Frame
from fercli.data.crops import CropFiles
from fercli.vision.images import read_image
from fercli.vision.keyframes.thumbnails import difference, thumbnail
from fercli.vision.linking import Look, look_change, look_of, telling_change

# Hash bits of the whole frame in which two neighbouring frames of one shot seldom differ, and the mean difference of
# luma, in levels, that makes a cut of those that do: people who walk change a tenth of a picture.
_SUSPICIOUS_BITS, _CUT_LEVELS = 12, 25.0
_SAMPLED = 6
_MOMENTS, _MOST_TOGETHER = 30, 12


class Looks:
    """Looks of the project's faces; the last few thousand are remembered."""

    def __init__(self, project: Project) -> None:
        self._crops = CropFiles(project.root)
        self._read = lru_cache(maxsize=4096)(self._look)

    def of(self, face: Face) -> Look | None:
        """How a face looks; None where its crop cannot be read."""
        return self._read(face.path) if face.path else None

    def sampled(self, faces: Sequence[Face]) -> list[tuple[Face, Look]]:
        """A few faces, evenly over all, with their looks."""
        return [(face, look) for face in evenly(faces, _SAMPLED) if (look := self.of(face)) is not None]

    def some_of(self, faces: Sequence[Face]) -> list[Look]:
        """The looks of a few faces, evenly over all."""
        return [look for _, look in self.sampled(faces)]

    def told_apart(self, moments: Sequence[Sequence[Face]]) -> Callable[[], float]:
        """The change of look that tells people of a video apart, found when it is first asked for."""
        return cache(lambda: telling_change(self._together(moments)))

    def _together(self, moments: Sequence[Sequence[Face]]) -> list[list[Look]]:
        several = [moment for moment in moments if len(moment) > 1]
        chosen = several[:: max(1, len(several) // _MOMENTS)]
        return [[look for face in moment[:_MOST_TOGETHER] if (look := self.of(face)) is not None] for moment in chosen]

    def _look(self, path: str) -> Look | None:
        try:
            crop = self._crops.read(path)
        except MediaError:
            return None
        return look_of(np.repeat(crop[:, :, None], 3, axis=2) if crop.ndim == 2 else np.ascontiguousarray(crop))


def evenly(faces: Sequence[Face], number: int) -> list[Face]:
    """At most `number` of the faces, the first and the last among them."""
    if len(faces) <= number:
        return list(faces)
    return [faces[place * (len(faces) - 1) // (number - 1)] for place in range(number)]


def nearest_change(first: Sequence[Look], second: Sequence[Look]) -> float:
    """The smallest difference between any look of the one and any of the other; infinite where one has none."""
    return min((look_change(one, other) for one in first for other in second), default=np.inf)


def find_views(project: Project, frames: Sequence[Frame | None]) -> tuple[set[int], list[int]]:
    """Which frames of a video, in order of time, are another shot than the one before, and which view each shows.

    Args:
        project: holds the frames.
        frames: kept frames, None where the row is gone.

    Returns:
        Numbers of the frames that begin a shot, and for each frame its view, from 0; a cut back shows the old one.
    """
    cuts, views, firsts = set(), [0] * len(frames), [frames[0]] if frames else []
    for number, (before, frame) in enumerate(itertools.pairwise(frames), start=1):
        views[number] = views[number - 1]
        if before and frame and (frame.method == "scene" or _are_unlike(project, before, frame)):
            cuts.add(number)
            alike = [view for view, first in enumerate(firsts) if first and not _are_unlike(project, first, frame)]
            views[number] = alike[0] if alike else len(firsts)
            firsts += [] if alike else [frame]
    return cuts, views


def _are_unlike(project: Project, before: Frame, frame: Frame) -> bool:
    if not (before.phash and frame.phash and before.path and frame.path):
        return False
    if (int(before.phash, 16) ^ int(frame.phash, 16)).bit_count() < _SUSPICIOUS_BITS:
        return False
    try:
        first, second = (read_image(project.inside(one.path, "frames.csv")) for one in (before, frame))
    except MediaError:
        return False
    return difference(thumbnail(_luma(first)), thumbnail(_luma(second))) > _CUT_LEVELS


def _luma(picture: np.ndarray) -> np.ndarray:
    return np.asarray(picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
