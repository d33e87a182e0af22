"""The pictures that `fer align` looks at: files, rows of packed files, and frames of videos that were not kept."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fercli.core.errors import MediaError
from fercli.core.places import Places
from fercli.core.rows import Face
from fercli.data.crops import CropFiles
from fercli.engine import guard
from fercli.vision.images import read_image
from fercli.vision.video.reader import DecodedFrame, VideoReader

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class FramePlace:
    """Where a frame that has no file lies: in a video of the project, by index, time, and stream as in videos.csv."""

    video: str
    index: int
    time_s: float
    stream: int | None = None


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
    """Reads the pictures of `tasks` in their order, in a process that may die of one of them, and a little ahead.

    A video at which the reader died is not tried again: each try may take half a minute.
    """

    def __init__(self, root: Path, tasks: Sequence[PictureTask]) -> None:
        self._root, self._left = root, deque(tasks)
        self._read: Iterator[np.ndarray | MediaError] | None = None
        self._died_of: dict[str, str] = {}
        guard.start_early(__name__)

    def read(self, task: PictureTask) -> np.ndarray:
        """The next picture, that of `task`, as RGB.

        Raises:
            MediaError: it is missing or damaged.
            TableError: its path leads out of the project.
        """
        assert self._left[0] is task, "pictures are read in their order"
        file = task.place.video if task.place else task.path
        if file in self._died_of:
            self._left.popleft()
            raise guard.reader_error(file, self._died_of[file])
        try:
            picture = self._next()
        except guard.ReaderError as error:
            self._read = None
            if task.place:
                self._died_of[file] = error.reason
            raise guard.reader_error(file, error.reason) from error
        finally:
            self._left.popleft()
        if isinstance(picture, MediaError):
            raise picture
        return picture

    def _next(self) -> np.ndarray | MediaError:
        if self._read is None:
            tasks = [task for task in self._left if not task.place or task.place.video not in self._died_of]
            self._read = guard.stream(f"{__name__}:read_pictures", self._root, tasks, name="")
        try:
            picture = next(self._read)
        except guard.ReaderError as error:
            if error.is_sure:
                raise
            # What it had read before may have cost it its life; one that is new tells.
            self._read = None
            return self._next()
        if len(self._left) == 1:
            # So that the reader knows that this was the last one.
            next(self._read, None)
        return picture


# Inside the reader, the process that may die of a picture.


def read_pictures(root: Path, tasks: Sequence[PictureTask]) -> Iterator[np.ndarray | MediaError]:
    """The picture of each task, or why there is none; a video's frames in one pass from the first to the last.

    Raises:
        TableError: a path leads out of the project.
    """
    files = _Files(root, tasks)
    for task in tasks:
        try:
            yield files.read(task)
        except MediaError as error:
            yield error


class _Files:
    """Reads the pictures of `tasks` in their order."""

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
        """The picture as RGB; raises as `Pictures.read`."""
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
            self._open(place.video, place.stream)
        while self._ahead is not None and self._ahead.index < place.index:
            self._ahead = next(self._frames, None)
        if self._ahead is None or self._ahead.index != place.index:
            raise MediaError(
                f"frame {place.index} of '{place.video}' cannot be decoded",
                hint="Run: fer extract-frames --force",
            )
        return self._ahead.rgb()

    def _open(self, video: str, stream: int | None) -> None:
        self._video, self._ahead = video, None
        # One thread: what several make of a damaged video differs from run to run, and the detector needs the others.
        reader = VideoReader(self._places.inside(video, "videos.csv"), threads=1, stream=stream)
        self._frames = reader.at(sorted(self._times_s[video]))
        self._ahead = next(self._frames, None)
