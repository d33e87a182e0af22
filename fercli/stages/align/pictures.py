"""The pictures that `fer align` looks at: files, rows of packed files, and frames of videos that were not kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fercli.core.errors import MediaError
from fercli.core.places import Places
from fercli.core.rows import Face
from fercli.data.crops import CropFiles
from fercli.vision.images import read_image
from fercli.vision.video.reader import DecodedFrame, VideoReader

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class FramePlace:
    """Where a frame that has no file lies: in a video of the project, by index and time."""

    video: str
    index: int
    time_s: float


@dataclass(frozen=True)
class PictureTask:
    """One picture to look at.

    Attributes:
        item: frame id, or face id of a given crop.
        path: relative to the project; `pack.npy#row` for a packed crop; empty when `place` says where it is.
        known: number and box of the faces that an earlier run found here; they keep their numbers.
        next_number: what the next new face is called.
        given: the row of a given crop, which is set upright where it is.
        place: of a frame that was not kept as a file.
        chunk: the frames of a video that are done together, when faces are followed; named by its first frame.
    """

    item: str
    video_id: str
    path: str
    time_s: float | None = None
    known: tuple[tuple[int, Box], ...] = ()
    next_number: int = 0
    given: Face | None = None
    place: FramePlace | None = None
    chunk: str = ""


class Pictures:
    """Reads the pictures of `tasks` in their order; a video's frames in one pass from the first to the last of them."""

    def __init__(self, root: Path, tasks: Sequence[PictureTask]) -> None:
        self._places, self._crops = Places(root), CropFiles(root)
        self._times_s: dict[str, list[float]] = {}
        for task in tasks:
            if task.place:
                self._times_s.setdefault(task.place.video, []).append(task.place.time_s)
        self._video = ""
        self._frames: Iterator[DecodedFrame] = iter(())
        self._ahead: DecodedFrame | None = None

    def read(self, task: PictureTask) -> np.ndarray:
        """The picture as RGB.

        Raises:
            MediaError: it is missing or damaged.
            TableError: its path leads out of the project.
        """
        if task.place:
            return self._decode(task.place)
        if task.given is not None:
            return self._crops.read_rgb(task.path)
        try:
            return read_image(self._places.inside(task.path, "frames.csv"))
        except MediaError as error:
            if task.time_s is None:
                raise
            message = f"{error.message}; take it anew: fer extract-frames --force"
            raise MediaError(message, hint="Other frames come out as they were.") from error

    def _decode(self, place: FramePlace) -> np.ndarray:
        if place.video != self._video:
            self._open(place.video)
        while self._ahead is not None and self._ahead.index < place.index:
            self._ahead = next(self._frames, None)
        if self._ahead is None or self._ahead.index != place.index:
            raise MediaError(
                f"frame {place.index} of '{place.video}' cannot be decoded",
                hint="Run: fer extract-frames --force",
            )
        return self._ahead.rgb()

    def _open(self, video: str) -> None:
        self._video, self._ahead = video, None
        # One thread: what several make of a damaged video differs from run to run, and the detector needs the others.
        self._frames = VideoReader(self._places.inside(video, "videos.csv"), threads=1).at(sorted(self._times_s[video]))
        self._ahead = next(self._frames, None)
