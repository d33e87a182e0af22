"""Write RGB frames as an H.264 file that every player shows, complete or not at all."""

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from jaxtyping import UInt8

from fercli.core.errors import MediaError, ProjectError
from fercli.core.files import replacing, storage_error

# Fine enough for any frame rate, and the clock of MPEG.
_TICKS_PER_S = 90_000
# x264's output depends on their number, never on the machine; two keep it the same everywhere.
_NUM_THREADS = 2
_KEY_EVERY_S = 2.0
SUFFIXES = frozenset({".mp4", ".mov", ".mkv"})


class VideoWriter:
    """Writes H.264 (yuv420p); the file appears under its name when the `with` block ends well.

    The same frames give the same bytes. H.264 needs even sides, so an odd one gets its last row or column twice.

    Args:
        path: ends in .mp4, .mov or .mkv.
        size: width and height of the frames.
        fps: frame rate, used for frames written without a time.
        quality: x264's constant rate factor, 0 (lossless) to 51; 18 is visually near lossless.

    Raises:
        ValueError: the suffix is none of these, or the size or rate is not positive.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: float, *, quality: int = 20) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"cannot write video '{path}': the suffix must be one of {', '.join(sorted(SUFFIXES))}")
        if min(size) < 1 or fps <= 0:
            raise ValueError(f"no video has the size {size} at {fps} frames per second")
        self.path = path
        self.size = size
        self.fps = fps
        self.num_frames = 0
        self._quality = quality
        self._last_tick = -1
        self._open = ExitStack()
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> "VideoWriter":
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(self.path))
            self._container = stack.enter_context(av.open(str(temporary), "w"))
            self._stream = self._add_stream()
            self._open = stack.pop_all()
        return self

    def write(self, image: UInt8[np.ndarray, "height width 3"], time_s: float | None = None) -> None:
        """Append one frame.

        Args:
            image: RGB of the writer's size.
            time_s: when it is shown; times must rise, one that does not is moved to just after the frame before it.
                By default the frames follow at `fps`.

        Raises:
            ValueError: the size of `image` is not the writer's.
            ProjectError: the disk is full or fails.
        """
        if (image.shape[1], image.shape[0]) != self.size:
            raise ValueError(f"a frame of {image.shape[1]} x {image.shape[0]} in a video of {self.size}")
        wanted = round((self.num_frames / self.fps if time_s is None else time_s) * _TICKS_PER_S)
        self._last_tick = max(wanted, self._last_tick + 1)
        height, width = image.shape[:2]
        even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.MPEG
        )
        picture.pts = self._last_tick
        picture.time_base = Fraction(1, _TICKS_PER_S)
        self._mux(picture)
        self.num_frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._open as stack:
            if error is not None:
                # Inside the stack, so that `replacing` sees the failure and leaves the old file alone.
                stack.__exit__(kind, error, trace)
                return
            if not self.num_frames:
                raise MediaError(f"no frame was written to '{self.path}'", hint="The source has no readable frame.")
            self._mux(None)

    def _add_stream(self) -> Any:
        stream = self._container.add_stream("libx264", rate=Fraction(self.fps).limit_denominator(1001))
        stream.width, stream.height = (side + side % 2 for side in self.size)
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, _TICKS_PER_S)
        context = stream.codec_context
        context.time_base = Fraction(1, _TICKS_PER_S)
        context.gop_size = max(1, round(self.fps * _KEY_EVERY_S))
        context.thread_count = _NUM_THREADS
        # What the frames are converted to: untagged, large videos would be shown with other colours.
        context.colorspace = 6  # AVCOL_SPC_SMPTE170M
        context.color_range = int(ColorRange.MPEG)
        context.options = {"crf": str(self._quality), "preset": "veryfast"}
        return stream

    def _mux(self, picture: Any) -> None:
        try:
            self._container.mux(self._stream.encode(picture))
        except OSError as error:
            raise storage_error(error, self.path) from error
        except av.FFmpegError as error:
            raise ProjectError(
                f"could not write '{self.path}': {error}", hint="Check the disk and run the command again."
            ) from error
