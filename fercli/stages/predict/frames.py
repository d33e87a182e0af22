"""The frames of a video that `fer predict` looks at or draws on, decoded in a process that may die of the file."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from fercli.engine import guard
from fercli.vision.images import printable
from fercli.vision.video.containers import open_video
from fercli.vision.video.reader import VideoInfo, VideoReader, interlaced_words


@dataclass(frozen=True)
class ShownFrame:
    """A frame as it is shown."""

    index: int
    time_s: float
    image: np.ndarray


class Frames:
    """The frames of a part of a video, one every `every_s` seconds, or all where it is zero.

    Attributes:
        warnings: what was not as declared, as sentences; complete when the iteration has ended.
    """

    def __init__(
        self,
        path: Path,
        *,
        start_s: float,
        end_s: float | None,
        every_s: float = 0.0,
        limit: int | None = None,
        stream: int | None = None,
    ) -> None:
        self.warnings: tuple[str, ...] = ()
        self._path = path
        self._part = (start_s, end_s, every_s, limit, stream)

    def __iter__(self) -> Iterator[ShownFrame]:
        """The frames in order.

        Raises:
            MediaError: the video cannot be opened, or the reader died of it.
        """
        with closing(
            guard.stream(f"{__name__}:decode", self._path, *self._part, name=printable(self._path))
        ) as decoded:
            for one in decoded:
                if isinstance(one, ShownFrame):
                    yield one
                else:
                    self.warnings = one


def declared_length(path: Path, stream: int | None) -> tuple[float | None, float]:
    """The seconds that a video declares, None where it does not, and its frames per second.

    Raises:
        MediaError: the video cannot be opened.
    """
    length: tuple[float | None, float] = guard.call(f"{__name__}:read_length", path, stream, name=printable(path))
    return length


def look_at_image(path: Path) -> np.ndarray:
    """As `read_image`."""
    image: np.ndarray = guard.call("fercli.vision.images:read_image", path, name=printable(path))
    return image


def look_at_video(path: Path, stream: int | None) -> VideoInfo:
    """As `probe_video`."""
    info: VideoInfo = guard.call("fercli.vision.video.reader:probe_video", path, stream, name=printable(path))
    return info


def start_early() -> None:
    """Let the process that decodes start, while this one does something else."""
    guard.start_early(__name__)


# Inside the reader.


def decode(
    path: Path, start_s: float, end_s: float | None, every_s: float, limit: int | None, stream: int | None
) -> Iterator[ShownFrame | tuple[str, ...]]:
    """The frames, and at last what was not as declared; see `Frames`."""
    # One thread, so that a damaged video gives the same frames when it is looked at and when it is drawn.
    reader = VideoReader(path, start_s=start_s, end_s=end_s, threads=1, stream=stream)
    num_frames = num_interlaced = 0
    with closing(reader.every(every_s) if every_s > 0 else iter(reader)) as frames:
        for frame in islice(frames, limit):
            num_frames += 1
            num_interlaced += frame.is_interlaced
            yield ShownFrame(frame.index, frame.time_s, frame.rgb())
    yield (*reader.warnings, *interlaced_words(num_interlaced, num_frames))


def read_length(path: Path, stream: int | None) -> tuple[float | None, float]:
    """See `declared_length`."""
    with open_video(path, stream) as source:
        return source.duration_s, source.fps
