"""Read videos as frames with the container's time stamps, and write frames as videos."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from fercli.core.errors import MediaError
from fercli.core.words import counted
from fercli.vision.images import printable
from fercli.vision.video.containers import Source, open_video
from fercli.vision.video.decoded_frame import DecodedFrame
from fercli.vision.video.decoding import SAME_MOMENT_S, Decoding, LeaningKeyError, NextWanted, Part
from fercli.vision.video.video_writer import VideoWriter

__all__ = ["DecodedFrame", "VideoInfo", "VideoReader", "VideoSpan", "VideoWriter", "probe_video", "scan_video"]

Watch = Callable[[DecodedFrame], None]
Frames = Generator[DecodedFrame, None, None]


@dataclass(frozen=True)
class VideoInfo:
    """What a video declares about itself.

    Attributes:
        width: pixels as shown, after turning and with square pixels.
        fps: average frame rate.
        num_frames: None when the container does not say.
        duration_s: of the video stream where the container says so, else of the file; None when it says neither.
        codec: FFmpeg's name of the decoder, such as h264.
        is_interlaced: its first frame holds two half pictures of different moments, of which one is shown.
    """

    width: int
    height: int
    fps: float
    num_frames: int | None
    duration_s: float | None
    codec: str
    is_interlaced: bool = False


@dataclass(frozen=True)
class VideoSpan:
    """What is really in a video file, counted without decoding.

    Attributes:
        times_s: when each frame is shown, rising.
        are_keyframes: which of them decode on their own.
        num_bytes: what each takes in the file.
        end_s: when the last frame ends.
        has_times: whether the container says when frames are shown; else their times are index / fps.
        warnings: what is not as the file declares, as sentences.
    """

    times_s: Float[np.ndarray, " frames"]
    are_keyframes: Bool[np.ndarray, " frames"]
    num_bytes: Int[np.ndarray, " frames"]
    end_s: float
    has_times: bool
    warnings: tuple[str, ...]

    @property
    def num_keyframes(self) -> int:
        """How many frames decode on their own."""
        return int(self.are_keyframes.sum())


def probe_video(path: Path, stream: int | None = None) -> VideoInfo:
    """Read what a video declares, and decode one frame to be sure that it can be; `stream` as in `VideoReader`.

    Raises:
        MediaError: the file is missing, empty, no video, or no frame of it can be decoded.
    """
    frame = next(iter(VideoReader(path, threads=1, stream=stream)), None)
    if frame is None:
        raise MediaError(
            f"no frame of video '{printable(path)}' can be decoded", hint="Play it in a video player, or copy it again."
        )
    width, height = frame.size
    with open_video(path, stream) as source:
        codec = str(source.stream.codec_context.name)
        is_interlaced = frame.is_interlaced
        return VideoInfo(width, height, source.fps, source.num_frames, source.duration_s, codec, is_interlaced)


def scan_video(path: Path, stream: int | None = None) -> VideoSpan:
    """Count the frames of a video by reading the file through, without decoding; `stream` as in `VideoReader`.

    Raises:
        MediaError: as `probe_video`, but for frames that cannot be decoded.
    """
    with open_video(path, stream) as source:
        times, are_keyframes, num_bytes, end_s, has_times = array("d"), array("b"), array("q"), 0.0, True
        for packet in source.packets():
            if packet.is_discard:
                continue
            has_times = has_times and packet.pts is not None
            time_s = len(times) / source.fps if packet.pts is None else source.clock.seconds(packet.pts)
            length_s = float(packet.duration * source.clock.time_base) if packet.duration else 1 / source.fps
            times.append(time_s)
            are_keyframes.append(bool(packet.is_keyframe))
            num_bytes.append(packet.size)
            end_s = max(end_s, time_s + length_s)
        warnings = (*source.choices(), *source.oddities(len(times), end_s))
    order = np.argsort(np.asarray(times, np.float64), kind="stable")
    times_s, sizes = np.asarray(times, np.float64)[order], np.fromiter(num_bytes, np.int64)[order]
    keys = np.asarray(are_keyframes, np.int8)[order].astype(bool)
    return VideoSpan(times_s, keys, sizes, end_s, has_times, warnings)


class VideoReader:
    """Streams the frames of a video; each iteration reads the file anew.

    Frames are turned upright and get square pixels; their times are the container's, counted from the start of the
    file; without time stamps they are index / fps, and `warnings` says so. Groups of pictures in which nothing is
    wanted are not decoded, and in MP4 and MOV not even read (PyAV 17 or later). Damaged frames, and those predicted
    from them until the next key frame (or ten seconds), are left out and counted.

    Args:
        path: the video file.
        start_s: frames before are left out.
        end_s: frames at or after are left out.
        only: "keyframes" gives those that decode on their own, about twenty times cheaper; "references" those that
            others build upon, two to three times cheaper; both are a little rougher than they are. None gives all.
            Not every decoder can leave out the rest.
        threads: of the decoder, None for as many as the machine has. A damaged video gives the same frames in every
            run only with `threads=1`.
        watch: called with each frame before it is handed out, to tell how far reading is.
        stream: number of the video stream in the file, from 1; None for the one that players show.

    Attributes:
        num_decoded: frames that came out whole in the last iteration, handed out or not.
        num_decoded_in_all: the same over all iterations of this reader and of those made from it by `like`.
        num_damaged: frames left out for damage in the last iteration.
        warnings: what was not as declared in the last iteration, as sentences; complete when it has ended.
    """

    def __init__(
        self,
        path: Path,
        *,
        start_s: float = 0.0,
        end_s: float | None = None,
        only: Part | None = None,
        threads: int | None = None,
        watch: Watch | None = None,
        stream: int | None = None,
    ) -> None:
        self.path = path
        self.watch = watch
        self.stream = stream
        self.start_s = start_s
        self.end_s = end_s
        self.only = only
        self.threads = threads
        self.num_decoded = 0
        self.num_damaged = 0
        self.warnings: tuple[str, ...] = ()
        self._tally = [0]

    @property
    def num_decoded_in_all(self) -> int:
        """See the class."""
        return self._tally[0]

    def like(self, *, only: Part | None = None, is_watched: bool = True, threads: int | None = None) -> "VideoReader":
        """Another reader of the same part of the file, with as many threads unless told otherwise."""
        reader = VideoReader(
            self.path,
            start_s=self.start_s,
            end_s=self.end_s,
            only=only,
            threads=threads or self.threads,
            watch=self.watch if is_watched else None,
            stream=self.stream,
        )
        reader._tally = self._tally
        return reader

    def __iter__(self) -> Frames:
        """Every frame between `start_s` and `end_s`.

        Raises:
            MediaError: the file cannot be opened; damage within does not raise.
        """
        return self._read(lambda _: self.start_s)

    def every(self, step_s: float) -> Frames:
        """The first frame at or after `start_s` and each multiple of `step_s` from there; one may serve several.

        Raises:
            MediaError: as iteration.
        """

        def next_wanted(last_s: float | None) -> float:
            num_passed = 0 if last_s is None else int((last_s + SAME_MOMENT_S - self.start_s) // step_s) + 1
            return self.start_s + num_passed * step_s

        return self._read(next_wanted)

    def at(self, times_s: Iterable[float]) -> Frames:
        """The first frame at or after each of the rising `times_s`; one frame may serve several of them.

        Times before `start_s` are ignored.

        Raises:
            MediaError: as iteration.
        """
        times = iter(times_s)

        def next_wanted(last_s: float | None) -> float | None:
            bound = self.start_s if last_s is None else last_s + SAME_MOMENT_S
            return next((time for time in times if time > bound or (last_s is None and time >= bound)), None)

        return self._read(next_wanted)

    def within(self, spans_s: Sequence[tuple[float, float]]) -> Frames:
        """The frames in any of the rising, separate `spans_s`, both ends included.

        Raises:
            MediaError: as iteration.
        """
        ends = [end_s + SAME_MOMENT_S for _, end_s in spans_s]

        def next_wanted(last_s: float | None) -> float | None:
            after = self.start_s if last_s is None else last_s + 2 * SAME_MOMENT_S
            place = bisect_left(ends, after)
            return max(after, spans_s[place][0]) if place < len(ends) else None

        return (frame for frame in self._read(next_wanted) if _is_within(frame.time_s, spans_s, ends))

    def _read(self, next_wanted: NextWanted) -> Frames:
        self.num_decoded, self.num_damaged, self.warnings = 0, 0, ()
        wanted_s, skips = next_wanted(None), True
        while True:
            with open_video(self.path, self.stream) as source:
                decoding = Decoding(source, only=self.only, threads=self.threads, skips=skips)
                try:
                    yield from self._pass(decoding, wanted_s, next_wanted)
                    return
                except LeaningKeyError:
                    wanted_s, skips = decoding.wanted_s, False
                finally:
                    self._tally[0] += decoding.num_frames
                    self.num_decoded, self.num_damaged = decoding.num_frames, decoding.num_damaged
                    self.warnings = tuple(_warnings(source, decoding, skips=skips))

    def _pass(self, decoding: Decoding, wanted_s: float | None, next_wanted: NextWanted) -> Frames:
        for frame in decoding.frames(wanted_s, next_wanted):
            if self.end_s is not None and frame.time_s >= self.end_s:
                return
            self.num_decoded, self.num_damaged = decoding.num_frames, decoding.num_damaged
            if self.watch:
                self.watch(frame)
            yield frame


def interlaced_words(num_interlaced: int, num_frames: int) -> Iterator[str]:
    """What is said of frames of which half is shown."""
    if num_interlaced:
        yield f"{num_interlaced:,} of {counted(num_frames, 'frame')} are interlaced: one of the two half images is used"


def _is_within(time_s: float, spans_s: Sequence[tuple[float, float]], ends: Sequence[float]) -> bool:
    place = bisect_left(ends, time_s)
    return place < len(ends) and time_s + SAME_MOMENT_S >= spans_s[place][0]


def _warnings(source: Source, decoding: Decoding, *, skips: bool) -> Iterator[str]:
    if decoding.num_damaged:
        whole = decoding.num_frames
        yield f"{counted(decoding.num_damaged, 'corrupt frame')} skipped, {whole} decoded"
    if not decoding.has_times:
        yield f"no time stamps; frame times were computed from the frame rate ({source.fps:g} frames per second)"
    if not skips:
        yield "its key frames depend on earlier frames, so it was decoded from the beginning"
    yield from source.oddities(decoding.num_packets if decoding.is_finished else None, decoding.end_s)
