"""Read packets of a video file: opened safely, read on past damage, with a clock that starts at zero."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import av

from fercli.core.errors import MediaError
from fercli.core.pulse import beat
from fercli.core.words import counted
from fercli.vision.images import MAX_PIXELS, printable

# After so many failed reads in a row the rest of the file is taken as lost.
_MAX_FAILED_READS = 50
# Time stamps of container and stream are rounded differently; closer than this is the same moment.
_SAME_MOMENT_S = Fraction(1, 10_000)
# AVI holds no times of display. For other codings FFmpeg finds the order of display in the packets themselves.
_GUESSED_IN_AVI = ("h264", "hevc")
# Parts of a recording may be joined byte by byte in these; others have one table of times.
_JOINABLE = ("mpegts", "mpeg")
# A file may end this much earlier than it declares: sound is often longer than the picture.
_END_SLACK_S = 1.0
_MOST_NAMED = 3


@dataclass(frozen=True)
class Clock:
    """Time stamps of one stream to seconds since the file begins, as players show them."""

    time_base: Fraction
    first_pts: int
    first_s: Fraction

    def seconds(self, pts: int) -> float:
        """The moment that a time stamp means."""
        return float((pts - self.first_pts) * self.time_base + self.first_s)


@dataclass(frozen=True)
class Source:
    """An open video file and its video stream; av has no types to lean on."""

    container: Any  # av.container.InputContainer
    stream: Any  # av.video.stream.VideoStream
    clock: Clock
    fps: float
    num_frames: int | None
    duration_s: float | None
    has_times: bool = True  # False: what FFmpeg gives as times of display is the order in the file
    is_chosen: bool = False  # by its number
    starts_s: list[float] = field(default_factory=list)  # where the clock of what was read began anew

    def packets(self) -> Iterator[Any]:
        """The packets of the video stream in file order; what cannot be read is stepped over.

        Where time stamps begin anew, as in the parts of a recording that were joined byte by byte, the clock goes on.
        """
        num_failures = 0
        clock = _GoingOn(self)
        while num_failures <= _MAX_FAILED_READS:
            try:
                for packet in self.container.demux(self.stream):
                    num_failures = 0
                    beat()
                    if packet.size:
                        if not self.has_times:
                            packet.pts = None
                        clock.set(packet)
                        yield packet
                return
            except av.FFmpegError:
                num_failures += 1

    @cached_property
    def listed(self) -> Any:  # av.index.IndexEntries, or ()
        """What the file lists of its packets; empty where it lists none, or only a part."""
        # Before PyAV 17 it cannot be asked; a file in fragments, or another container, lists only a part.
        is_listing = "mp4" in self.container.format.name
        entries = getattr(self.stream, "index_entries", ()) if is_listing else ()
        return entries if 0 < len(entries) <= (self.num_frames or 0) else ()

    def oddities(self, num_packets: int | None, end_s: float) -> Iterator[str]:
        """What is not as it should be, as sentences; `num_packets` is None where the file was not read to its end."""
        if self.starts_s:
            times = ", ".join(f"{start_s:g} s" for start_s in self.starts_s[:_MOST_NAMED])
            more = ", ..." if len(self.starts_s) > _MOST_NAMED else ""
            yield f"time stamps restart at {times}{more}, as in concatenated files; they were read as continuous"
        if num_packets is not None:
            yield from self._missing_end(num_packets, end_s)

    def choices(self) -> Iterator[str]:
        """A sentence where the file holds several films."""
        streams = _films(self.container)
        if len(streams) > 1:
            which = "as asked" if self.is_chosen else "which players show; --stream takes another"
            others = ", ".join(f"{one.width} x {one.height}" for one in streams if one.index != self.stream.index)
            number = [one.index for one in streams].index(self.stream.index) + 1
            yield (
                f"holds {len(streams)} video streams; number {number} ({self.stream.width} x {self.stream.height}) is "
                f"read, {which}; not read: {others}"
            )

    def _missing_end(self, num_packets: int, end_s: float) -> Iterator[str]:
        # An editor may have left pictures in the file that are no longer shown.
        num_frames = sum(not entry.is_discard for entry in self.listed) or self.num_frames
        declared_s = max(self.duration_s or 0.0, (num_frames or 0) / self.fps)
        is_short = declared_s - end_s > min(_END_SLACK_S, declared_s * 0.1)
        # A camera that drops frames declares more of them than the file has, yet lasts as long as it says.
        if is_short and (num_frames is None or num_packets < num_frames):
            declared = f"{counted(num_frames, 'frame')}, " if num_frames else ""
            found = f"{counted(num_packets, 'frame')}, {end_s:.1f} s"
            yield f"the file is truncated: it declares {declared}{declared_s:.1f} s but contains {found}"


class _GoingOn:
    """Lets the clock go on where time stamps begin anew."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._is_joinable = source.container.format.name in _JOINABLE
        self._behind = 0
        self._end: int | None = None
        source.starts_s.clear()

    def set(self, packet: Any) -> None:
        """Give the next packet of the stream its time."""
        stamp = packet.pts if packet.dts is None else packet.dts
        if not self._is_joinable or stamp is None:
            return
        # Other packets may be a little early by mistake.
        if packet.is_keyframe and self._end is not None and stamp + self._behind < self._end:
            self._behind = self._end - stamp
            self._source.starts_s.append(self._source.clock.seconds((packet.pts or stamp) + self._behind))
        if self._behind:
            packet.pts = None if packet.pts is None else packet.pts + self._behind
            packet.dts = None if packet.dts is None else packet.dts + self._behind
        self._end = stamp + self._behind + (packet.duration or 0)


@contextmanager
def open_video(path: Path, number: int | None = None) -> Iterator[Source]:
    """Open a video file for reading.

    Only the file itself is read: playlists that name other files or addresses are not followed.

    Args:
        path: the file.
        number: of the video stream, from 1; None for the one that players show.

    Raises:
        MediaError: the file is missing, empty, no video, without such a video stream, or its frames are too large.
    """
    name = printable(path)
    try:
        status = path.stat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise MediaError(f"'{name}' is not a regular file", hint="Name a video file.")
        if status.st_size == 0:
            raise MediaError(f"video '{name}' is empty (0 bytes)", hint="Copy it again from the source.")
        # The prefix keeps a name such as 'concat:a|b' from being taken as an order to FFmpeg.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (OSError, av.FFmpegError) as error:
        raise _cannot_open(name, error) from error
    with container:
        yield _source(container, name, number)


def _cannot_open(name: str, error: Exception) -> MediaError:
    if isinstance(error, FileNotFoundError):
        return MediaError(f"video '{name}' not found", hint="Check the path.")
    if isinstance(error, IsADirectoryError):
        return MediaError(f"'{name}' is a folder, not a video", hint="Name the videos in it.")
    reason = getattr(error, "strerror", None) or str(error)
    return MediaError(
        f"cannot open video '{name}': truncated, corrupt or not a video ({reason})",
        hint="Play it in a video player; if it plays, convert it to MP4 (H.264).",
    )


def _source(container: Any, name: str, number: int | None) -> Source:
    stream = _stream(_films(container), name, number)
    if stream.codec_context is None:
        raise MediaError(f"unsupported codec in video '{name}'", hint="Convert it to MP4 (H.264).")
    if stream.width * stream.height > MAX_PIXELS:
        raise MediaError(
            f"video '{name}' has frames of {stream.width} x {stream.height}, above the limit of {MAX_PIXELS:,} pixels",
            hint="Resize it, or leave it out.",
        )
    fps = float(stream.average_rate or stream.guessed_rate or 25)
    num_frames = int(stream.frames) or None
    context = stream.codec_context
    has_times = not (container.format.name == "avi" and context.name in _GUESSED_IN_AVI and context.has_b_frames)
    duration_s = _duration_s(container, stream)
    clock, is_chosen = _clock(container, stream), number is not None
    return Source(container, stream, clock, fps, num_frames, duration_s, has_times, is_chosen)


def _films(container: Any) -> list[Any]:  # av.video.stream.VideoStream
    return [stream for stream in container.streams.video if not _is_cover(stream)]


def _stream(streams: list[Any], name: str, number: int | None) -> Any:  # av.video.stream.VideoStream
    if not streams:
        raise MediaError(f"'{name}' has no video stream", hint="Audio and subtitle files have no frames.")
    if number is not None and number > len(streams):
        has = counted(len(streams), "video stream")
        raise MediaError(f"'{name}' has {has}, no number {number}", hint="Leave --stream out, or give a lower number.")
    # The one that players show: marked as default, else the first.
    return streams[number - 1] if number else next((one for one in streams if _is_default(one)), streams[0])


def _is_cover(stream: Any) -> bool:
    """Whether the stream is the cover picture of a sound file."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _is_default(stream: Any) -> bool:
    return bool(stream.disposition & type(stream.disposition).default)


def _clock(container: Any, stream: Any) -> Clock:
    time_base = Fraction(stream.time_base)
    first_pts = int(stream.start_time or 0)
    # The file begins with its earliest stream, which may be the sound.
    first_s = first_pts * time_base - Fraction(int(container.start_time or 0), av.time_base)
    return Clock(time_base, first_pts, first_s if abs(first_s) > _SAME_MOMENT_S else Fraction(0))


def _duration_s(container: Any, stream: Any) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    # Matroska writes when a track ends, as a tag.
    hours, _, rest = str(stream.metadata.get("DURATION", "")).partition(":")
    minutes, _, seconds = rest.partition(":")
    begin_s = float(Fraction(container.start_time or 0, av.time_base))
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - begin_s
    except ValueError:
        return container.duration / av.time_base if container.duration else None
