"""Decode packets of a video into frames in display order, no more of them than is asked for."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any, Literal

import av
from av.video.reformatter import VideoReformatter

from fercli.vision.video.containers import Source
from fercli.vision.video.decoded_frame import DecodedFrame, Showing, turn_of
from fercli.vision.video.jumps import Jumps, Landing

# Packets are held until the next key frame shows whether they are needed; at most so many.
_MAX_HELD_PACKETS = 300
# A damaged picture lives on in those predicted from it until a key frame; streams without any heal within this time.
_HEALED_AFTER_S = 10.0

# What the frames of all threads may take, and how many threads FFmpeg starts at most by itself.
_THREADS_BYTES, _AUTO_THREADS = 400_000_000, 16

# Times closer than this are the same moment: 3 * 0.1 s is meant to find the frame at 0.3 s.
SAME_MOMENT_S = 1e-6

# Given the time of the frame handed out last (None before the first), the time of the next one wanted, or None.
NextWanted = Callable[[float | None], float | None]

# Which frames are decoded, both a little roughly: those that decode on their own, or those that others build upon.
Part = Literal["keyframes", "references"]


def _most_threads(num_pixels: int) -> int:
    """For frames so large; 0 lets FFmpeg choose. Each thread holds a frame, and as many again wait for display."""
    most = _THREADS_BYTES // max(1, 3 * num_pixels)
    return 0 if most >= _AUTO_THREADS else max(1, most)


class LeaningKeyError(Exception):
    """What the file calls a key frame cannot be decoded without those before it."""


class Decoding:
    """One pass over an open video.

    Attributes:
        wanted_s: the time of the next frame wanted.
        num_frames: frames that came out whole, handed out or not.
        num_damaged: frames left out, damaged themselves or predicted from a damaged one.
        num_packets: packets of the stream that were read.
        end_s: when the last packet read ends.
        is_finished: whether the file was read to its end.
        has_times: whether the container gives time stamps; else time is index / fps.
    """

    def __init__(self, source: Source, *, only: Part | None, threads: int | None, skips: bool = True) -> None:
        self.wanted_s: float | None = None
        self.num_frames = 0
        self.num_damaged = 0
        self.num_packets = 0
        self.end_s = 0.0
        self.is_finished = False
        self.has_times = True
        self._source = source
        self._skips = skips
        self._jumps = Jumps(source)
        self._landing: Landing | None = None
        self._keyframes_only = only == "keyframes"
        self._showing: Showing | None = None
        self._pts_ahead: list[int] = []  # heap: packets read whose frames have not come out
        self._num_passed = 0
        self._next_index = 0
        self._last_s = 0.0
        self._first_valid_pts: int | None = None
        self._must_flush = False
        self._is_first = False
        self._last_pts: int | None = None
        self._damaged_since_s: float | None = None
        context = source.stream.codec_context
        # H.264 predicts forward frames from forward frames, nearly: leaving out all others costs at most three of 256
        # levels on the videos at hand, and saves a quarter more. Other codings may have no forward frames at all.
        references = "BIDIR" if context.name == "h264" else "NONREF"
        context.skip_frame = {"keyframes": "NONKEY", "references": references, None: "DEFAULT"}[only]
        if only:
            # A fifth of what is left; the block edges that it would smooth are far finer than what one looks for so.
            context.options = {"skip_loop_filter": "all"}
        context.thread_type = "AUTO" if threads is None else "SLICE"
        context.thread_count = threads or _most_threads(source.stream.width * source.stream.height)

    def frames(self, wanted_s: float | None, next_wanted: NextWanted) -> Iterator[DecodedFrame]:
        """The first frame at or after `wanted_s`, then each time that `next_wanted` names, until it names none.

        Raises:
            LeaningKeyError: nothing may be skipped in this file; `wanted_s` tells where to go on.
        """
        self.wanted_s = wanted_s
        self._skip_to(0)
        for packets, end_s in self._groups():
            for packet in packets:
                if self.wanted_s is None:
                    return
                if self._skips and end_s is not None and self.wanted_s >= end_s:
                    # All that is wanted can be decoded from the key frame at `end_s`, or from a later one.
                    self._must_flush = True
                    self._skip_to(self.num_packets - 1)
                    break
                for frame in self._decode(packet):
                    if self.wanted_s is not None and frame.time_s + SAME_MOMENT_S >= self.wanted_s:
                        yield frame
                        self.wanted_s = next_wanted(frame.time_s)
        if self.wanted_s is not None and self._is_first and self._damaged_since_s is None:
            raise LeaningKeyError

    def _skip_to(self, next_place: int) -> None:
        if not self._skips or self.wanted_s is None:
            return
        self._landing = self._jumps.to(self.wanted_s, next_place)
        if self._landing:
            self._must_flush = True
            self._pts_ahead.clear()
            self.num_packets = self._landing.num_before
            self._num_passed = self._next_index = self._landing.num_shown_before

    def _groups(self) -> Iterator[tuple[list[Any], float | None]]:
        """Runs of packets that end before a key frame, with its time, or before nothing known (None)."""
        held: list[Any] = []
        for packet in self._packets():
            self._note(packet)
            starts_group = packet.is_keyframe and packet.pts is not None
            if held and (starts_group or len(held) >= _MAX_HELD_PACKETS):
                yield held, self._source.clock.seconds(packet.pts) if starts_group else None
                held = []
                if self._landing:
                    # This packet was left behind.
                    continue
            held.append(packet)
        self.is_finished = True
        # At last None empties the decoder.
        yield [*held, None], None

    def _packets(self) -> Iterator[Any]:
        """The packets in file order, from each landing on."""
        packets = self._source.packets()
        while True:
            landing, self._landing = self._landing, None
            packet = landing.packet if landing and landing.packet else next(packets, None)
            if packet is None:
                return
            yield packet

    def _note(self, packet: Any) -> None:
        self.num_packets += 1
        if packet.pts is None:
            self._miss_times()
            self.end_s = self.num_packets / self._source.fps
        elif not packet.is_discard:
            heapq.heappush(self._pts_ahead, packet.pts)
            length = packet.duration * self._source.clock.time_base if packet.duration else 1 / self._source.fps
            self.end_s = max(self.end_s, self._source.clock.seconds(packet.pts) + float(length))

    def _decode(self, packet: Any) -> Iterator[DecodedFrame]:
        """The good frames that come out of the decoder when it is given `packet`; None empties it."""
        if packet is not None and self._must_flush:
            self._source.stream.codec_context.flush_buffers()
            self._first_valid_pts = packet.pts
            self._must_flush = False
            self._is_first = packet.pts is not None and not packet.is_discard
            self._damaged_since_s = None
        try:
            pictures = self._source.stream.decode(packet)
        except av.FFmpegError:
            # With threads the error may belong to an earlier packet, so only the last frame's time is sure.
            self._damaged_since_s = self._last_s
            self.num_damaged += 1
            return
        yield from self._good(pictures)

    def _good(self, pictures: Iterable[Any]) -> Iterator[DecodedFrame]:
        for picture in pictures:
            # After a jump, pictures before the key frame lack what they were predicted from.
            if None not in (picture.pts, self._first_valid_pts) and picture.pts < self._first_valid_pts:
                continue
            self._check_first(picture)
            self._last_s = time_s = self._time_s(picture.pts)
            # Damage may bring pictures out late, too.
            is_late = None not in (picture.pts, self._last_pts) and picture.pts < self._last_pts
            if self._is_damaged(picture, time_s) or is_late:
                # Damaged pictures may come in any order: only where packets say nothing are they counted.
                self._next_index += picture.pts is None
                self.num_damaged += 1
                continue
            self._last_pts = picture.pts
            index = self._index(picture.pts)
            if self._keyframes_only and not picture.key_frame:
                # Not every decoder can be told to skip.
                continue
            self.num_frames += 1
            yield DecodedFrame(index, time_s, picture, self._showing_of(picture))

    def _check_first(self, picture: Any) -> None:
        """Raise LeaningKeyError when the first picture after a jump is not the key frame itself."""
        if not self._is_first or self._damaged_since_s is not None:
            return
        self._is_first = False
        if not picture.key_frame or picture.pts != self._first_valid_pts:
            raise LeaningKeyError

    def _showing_of(self, picture: Any) -> Showing:
        # Asked of the first frame only: a frame that was asked for its side data holds itself, and is freed late.
        if self._showing is None:
            pixel_aspect = Fraction(self._source.stream.sample_aspect_ratio or 1)
            self._showing = Showing(pixel_aspect, turn_of(picture), VideoReformatter())
        return self._showing

    def _time_s(self, pts: int | None) -> float:
        if pts is None:
            self._miss_times()
            return self._next_index / self._source.fps
        return self._source.clock.seconds(pts)

    def _index(self, pts: int | None) -> int:
        """How many frames of the file are shown before this one: packets with earlier time stamps."""
        while pts is not None and self._pts_ahead and self._pts_ahead[0] < pts:
            heapq.heappop(self._pts_ahead)
            self._num_passed += 1
        # Two packets with one time stamp still are two frames; without time stamps frames are counted.
        num_before = self._next_index if pts is None else max(self._num_passed, self._next_index)
        self._next_index = num_before + 1
        return num_before

    def _miss_times(self) -> None:
        self.has_times = False
        # Frames are now told apart by counting, so all of them must come out.
        self._source.stream.codec_context.skip_frame = "DEFAULT"

    def _is_damaged(self, picture: Any, time_s: float) -> bool:
        if picture.is_corrupt:
            self._damaged_since_s = time_s
            return True
        if self._damaged_since_s is None:
            return False
        is_healed = picture.key_frame or time_s >= self._damaged_since_s + _HEALED_AFTER_S
        if is_healed:
            self._damaged_since_s = None
        return not is_healed
