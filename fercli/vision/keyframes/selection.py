"""Select the frames of a video worth keeping: chosen by a rule, filtered if asked, in one stream."""

from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from fercli.core.words import counted
from fercli.vision.keyframes.selectors import SELECTORS, Notes, SelectionRule
from fercli.vision.keyframes.thumbnails import sampled
from fercli.vision.quality import hamming, phash, sharpness
from fercli.vision.video.reader import DecodedFrame, VideoReader

__all__ = ["SELECTORS", "KeptFrame", "Selection", "SelectionRule", "select_frames"]

# The hash sees 32 x 32; sixteen pixels for each are as good as all, and take a tenth of a millisecond instead of six.
_HASHED_SIZE = (128, 128)


@dataclass(frozen=True)
class KeptFrame:
    """A keyframe.

    Attributes:
        index: place of the frame in the video, from 0.
        time_s: seconds since the video begins.
        score: by what the rule chose it: for `change` and `scene` the difference in levels of luma, for `kmeans`
            the share of the video that it stands for; None for `every` and `uniform`.
        sharpness: variance of the Laplacian of its luma.
        phash: perceptual hash of its luma, 16 hexadecimal digits.
        frame: itself, as the decoder left it.
    """

    index: int
    time_s: float
    score: float | None
    sharpness: float
    phash: str
    frame: DecodedFrame

    @property
    def image(self) -> UInt8[np.ndarray, "height width 3"]:
        """RGB, converted each time it is asked for."""
        return self.frame.rgb()


class Selection:
    """The keyframes of one video under one rule; iterate it once, then ask what was dropped.

    Attributes:
        num_chosen: frames that the method chose, before filters.
        num_kept: frames that were handed out.
        num_damaged: frames of the video that were left out for damage.
        drops: how many chosen frames each filter dropped: "blurred", "duplicate".
        warnings: sentences about the video, as far as it was read, and the filters; complete when iteration has ended
            or is closed.
    """

    def __init__(self, reader: VideoReader, rule: SelectionRule) -> None:
        self.num_chosen = 0
        self.num_kept = 0
        self.num_damaged = 0
        self.drops: Counter[str] = Counter()
        self.warnings: tuple[str, ...] = ()
        self._reader = reader
        self._rule = rule
        self._last_phash = ""

    def __iter__(self) -> Generator[KeptFrame, None, None]:
        """The keyframes in order of time.

        Raises:
            MediaError: the video cannot be opened.
        """
        notes = Notes()
        try:
            with closing(SELECTORS[self._rule.method](self._reader, self._rule, notes)) as chosen:
                for frame, score in chosen:
                    self.num_chosen += 1
                    kept = self._filtered(frame, score)
                    if kept is not None:
                        self.num_kept += 1
                        yield kept
        finally:
            self.num_damaged = max(notes.num_damaged, self._reader.num_damaged)
            # Two passes over one video see the same damage.
            self.warnings = tuple(dict.fromkeys([*notes.warnings, *self._reader.warnings, *self._much_dropped()]))

    def _filtered(self, frame: DecodedFrame, score: float | None) -> KeptFrame | None:
        """The frame to keep; None means that a filter dropped and counted it."""
        rule, sharp, digits = self._rule, sharpness(frame.luma), phash(sampled(frame.luma, *_HASHED_SIZE))
        if rule.min_sharpness is not None and sharp < rule.min_sharpness:
            self.drops["blurred"] += 1
            return None
        if rule.dedup_bits is not None and self._last_phash and hamming(digits, self._last_phash) <= rule.dedup_bits:
            self.drops["duplicate"] += 1
            return None
        self._last_phash = digits
        return KeptFrame(frame.index, frame.time_s, score, sharp, digits, frame)

    def _much_dropped(self) -> Iterator[str]:
        num_dropped = self.drops.total()
        if num_dropped * 2 > self.num_chosen:
            counts = ", ".join(f"{count} {reason}" for reason, count in sorted(self.drops.items()))
            yield (
                f"more than half of the "
                f"{counted(self.num_chosen, 'selected frame was', 'selected frames were')} dropped by filters: {counts}"
            )


def select_frames(reader: VideoReader, rule: SelectionRule) -> Selection:
    """Choose keyframes of a video; the same video and rule give the same frames.

    Memory does not grow with the video: one frame, and for `kmeans` a few thousand thumbnails, are held.
    """
    return Selection(reader, rule)
