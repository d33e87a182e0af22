"""Find the first frames of a video's scenes, decoding only where a cut can be.

Key frames are looked at first. Where two of them that follow each other look alike, and no frame between takes as much
of the file as a new picture would, there is no cut; the rest is decoded without the frames that no other is predicted
from, and the few frames about a cut found there, if any was left out, once more and whole.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from math import inf

import numpy as np
from jaxtyping import Int, UInt8

from fercli.vision.keyframes.thumbnails import difference, thumbnail
from fercli.vision.video.decoding import SAME_MOMENT_S
from fercli.vision.video.reader import DecodedFrame, VideoReader, VideoSpan

# A cut stands out from the motion before it by this factor.
_CUT_TO_MOTION = 3.0
_NUM_MOTION_FRAMES = 5
# A predicted frame that takes this share of the key frame before it, and this many times what most others of its group
# take, may hold a new picture.
_NEW_PICTURE_SHARE = 0.2
_NEW_PICTURE_FACTOR = 2.0
Span = tuple[float, float]
FirstFrames = Iterator[tuple[DecodedFrame, float | None]]


@dataclass(frozen=True)
class _Cut:
    """A new scene begins after `after_s` and at `time_s` at the latest; exactly there when both are the same."""

    after_s: float
    time_s: float
    score: float


@dataclass(frozen=True)
class _Step:
    """A frame, the one before it in the same span, and how much their thumbnails differ."""

    frame: DecodedFrame
    before: DecodedFrame
    score: float
    span: int


def first_frames(reader: VideoReader, span: VideoSpan, *, threshold: float, min_gap_s: float) -> FirstFrames:
    """The first frame, then each that begins a new scene, with the step in levels of luma; None for the first.

    Hard cuts are found; fades and dissolves are not.

    Args:
        reader: of all frames; others are made from it for the first passes.
        span: what `scan_video` found in the same file.
        threshold: least step in levels.
        min_gap_s: scenes that begin sooner after another are passed over.
    """
    if not span.has_times or span.num_keyframes * 2 > len(span.times_s):
        yield from _among_all(reader, threshold, min_gap_s)
        return
    keys = reader.like(only="keyframes", is_watched=False)
    spans = _unsure_spans(reader, span, [(frame.time_s, thumbnail(frame.luma)) for frame in keys], threshold)
    times_s = span.times_s[span.times_s + SAME_MOMENT_S >= reader.start_s].tolist()
    if not times_s:
        return
    references = reader.like(only="references")
    steps = _steps(references.within(spans), spans)
    rough = [_bounds(step) for step in _cuts(steps, threshold, min_gap_s, times_s[0] + min_gap_s)]
    if keys.num_damaged or references.num_damaged:
        # What damage hides and what is a cut can be told only frame by frame.
        yield from _among_all(reader, threshold, min_gap_s)
        return
    # Several threads decode ahead, past the few frames that are wanted.
    yield from _refined(
        reader.like(is_watched=False, threads=1), [_Cut(times_s[0], times_s[0], 0.0), *rough], threshold
    )


def _among_all(reader: VideoReader, threshold: float, min_gap_s: float) -> FirstFrames:
    frames = iter(reader)
    first = next(frames, None)
    if first is not None:
        yield first, None
        steps = _steps(chain([first], frames), [(0.0, inf)])
        for step in _cuts(steps, threshold, min_gap_s, first.time_s + min_gap_s):
            yield step.frame, step.score


def _unsure_spans(
    reader: VideoReader, span: VideoSpan, keys: list[tuple[float, UInt8[np.ndarray, "36 64"]]], threshold: float
) -> list[Span]:
    """Where cuts can be: from a key frame to the next, those that touch joined; what no two key frames bound, too."""
    last_s = min(span.end_s, reader.end_s or span.end_s)
    if not keys:
        return [(reader.start_s, last_s)]
    spans = [(reader.start_s, keys[0][0])]
    for (begin_s, before), (end_s, after) in pairwise(keys):
        first, end = np.searchsorted(span.times_s, (begin_s - SAME_MOMENT_S, end_s - SAME_MOMENT_S))
        if difference(before, after) > threshold or _may_hold_new_picture(span.num_bytes[first:end]):
            spans.append((begin_s, end_s))
    spans.append((keys[-1][0], last_s))
    return _joined(spans)


def _may_hold_new_picture(num_bytes: Int[np.ndarray, " frames"]) -> bool:
    """Whether one of the frames after the first, a key frame, is as large as a picture that is coded anew."""
    others = num_bytes[1:]
    if not others.size:
        return False
    usual = float(np.percentile(others, 90, method="lower")) if others.size > 2 else 0.0
    return bool(others.max() > max(_NEW_PICTURE_SHARE * num_bytes[0], _NEW_PICTURE_FACTOR * usual))


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for begin_s, end_s in spans:
        if joined and begin_s <= joined[-1][1] + SAME_MOMENT_S:
            joined[-1] = (joined[-1][0], max(end_s, joined[-1][1]))
        else:
            joined.append((begin_s, end_s))
    return joined


def _steps(frames: Iterable[DecodedFrame], spans: Sequence[Span]) -> Iterator[_Step]:
    last: DecodedFrame | None = None
    before: UInt8[np.ndarray, "36 64"] | None = None
    place = -1
    for frame in frames:
        seen, now = thumbnail(frame.luma), bisect_left(spans, frame.time_s - SAME_MOMENT_S, key=lambda span: span[1])
        if last is not None and before is not None and now == place:
            yield _Step(frame, last, difference(seen, before), place)
        last, before, place = frame, seen, now


def _cuts(steps: Iterable[_Step], threshold: float, min_gap_s: float, next_s: float) -> Iterator[_Step]:
    """The steps, from `next_s` on, that are far above the motion before them, or after them where none is known."""
    motion: deque[float] = deque(maxlen=_NUM_MOTION_FRAMES)
    place = -1
    for step, following in pairwise(chain(steps, [None])):
        assert step is not None
        if step.span != place:
            motion.clear()
            place = step.span
        usual = sum(motion) / len(motion) if motion else following.score if following else 0.0
        if step.score > max(threshold, _CUT_TO_MOTION * usual) and step.frame.time_s >= next_s:
            next_s = step.frame.time_s + min_gap_s
            motion.clear()
            yield step
        else:
            motion.append(step.score)


def _bounds(step: _Step) -> _Cut:
    is_next = step.frame.index == step.before.index + 1
    return _Cut(step.frame.time_s if is_next else step.before.time_s, step.frame.time_s, step.score)


def _refined(reader: VideoReader, cuts: list[_Cut], threshold: float) -> FirstFrames:
    """The frames that begin scenes, where a cut has bounds only the one after the largest step between them."""
    frames = reader.within([(cut.after_s, cut.time_s) for cut in cuts])
    place, last, best = 0, None, None
    for frame in frames:
        cut = cuts[place]
        seen = thumbnail(frame.luma)
        if cut.after_s == cut.time_s:
            best = (frame, cut.score)
        elif last is not None and (score := difference(seen, last)) > max(threshold, best[1] if best else 0.0):
            best = (frame, score)
        last = seen
        if frame.time_s + SAME_MOMENT_S >= cut.time_s:
            if best:
                yield best[0], best[1] if place else None
            place, best = place + 1, None
            last = seen if place < len(cuts) and cuts[place].after_s == cut.time_s else None
        if place == len(cuts):
            return
