"""Reading on from a later key frame, without the packets between, in files that list them all: MP4 and MOV do."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import av

from fercli.vision.video.containers import Source


@dataclass(frozen=True)
class Landing:
    """Where reading goes on.

    Attributes:
        packet: a key frame's, av.Packet, read already; None when the first of the file is still to be read.
        num_before: packets of the stream that lie before it in the file.
        num_shown_before: those of them that are shown.
    """

    packet: Any
    num_before: int
    num_shown_before: int


@dataclass(frozen=True)
class _Key:
    dts: int
    pos: int
    num_before: int
    num_shown_before: int


class Jumps:
    """Takes an open video to its key frames, where the file lists all packets; else it stays where it is.

    A list may promise what is not there, as when a file is cut off: then the file is read through from its beginning.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._has_failed = False

    def to(self, time_s: float, next_place: int) -> Landing | None:
        """Go to the last key frame at or before `time_s`, if reading on would come to it late.

        Args:
            time_s: seconds since the file begins.
            next_place: how many packets lie before the key frame that reading goes on with.

        Returns:
            None when nothing moved; the beginning of the file when the jump failed.
        """
        if self._has_failed:
            return None
        end = bisect_right(self._keys, time_s, key=lambda key: self._source.clock.seconds(key.dts))
        if end == 0 or self._keys[end - 1].num_before <= next_place:
            return None
        # A key frame is shown after it is decoded, so the last may come too late; the one before it hardly does.
        for key in reversed(self._keys[:end]):
            landing = self._land(key)
            if landing is None or landing.num_before < next_place:
                break
            if self._source.clock.seconds(landing.packet.pts) <= time_s:
                return landing
        self._has_failed = True
        self._source.container.seek(self._keys[0].dts, stream=self._source.stream)
        return Landing(None, 0, 0)

    @cached_property
    def _keys(self) -> list[_Key]:
        keys, num_shown = [], 0
        for place, entry in enumerate(self._source.listed):
            if entry.is_keyframe:
                keys.append(_Key(entry.timestamp, entry.pos, place, num_shown))
            num_shown += not entry.is_discard
        # What comes before the first key frame, or twice, cannot be found again.
        is_clear = keys and keys[0].num_before == 0 and len({key.pos for key in keys}) == len(keys)
        return keys if is_clear else []

    @cached_property
    def _by_pos(self) -> dict[int, _Key]:
        return {key.pos: key for key in self._keys}

    def _land(self, key: _Key) -> Landing | None:
        """Where a seek really leads to, often before `key`; None when there is no key frame."""
        try:
            self._source.container.seek(key.dts, stream=self._source.stream)
            packet = next(self._source.container.demux(self._source.stream))
        except (av.FFmpegError, StopIteration):
            return None
        found = self._by_pos.get(packet.pos)
        # Damage may have made another frame of what the list calls a key frame.
        if not packet.is_keyframe or packet.pts is None or found is None:
            return None
        return Landing(packet, found.num_before, found.num_shown_before)
