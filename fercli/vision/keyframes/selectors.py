"""Rules that choose frames of a video: every so often, evenly, at changes, by clusters, at cuts."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from fercli.vision.keyframes.shots import first_frames
from fercli.vision.keyframes.thumbnails import difference, thumbnail
from fercli.vision.quality import sharpness
from fercli.vision.video.decoding import SAME_MOMENT_S
from fercli.vision.video.reader import DecodedFrame, VideoReader, scan_video

Method = Literal["every", "uniform", "change", "kmeans", "scene"]
Chosen = Generator[tuple[DecodedFrame, float | None], None, None]

_CLUSTERED_SIZE = (32, 18)
# Clusters come from a few thousand frames at most; of a longer video every second, fourth, ... frame.
_MAX_CLUSTERED = 4096
# Key frames alone are enough to cluster when there are so many for each that is wanted.
_KEYFRAMES_PER_CLUSTER = 10


@dataclass
class Notes:
    """What selectors find besides frames: sentences about the video, and damaged frames of a first pass."""

    warnings: list[str] = field(default_factory=list)
    num_damaged: int = 0


@dataclass(frozen=True)
class SelectionRule:
    """Which frames to keep; each field says for which method it counts.

    Attributes:
        every_s: `every`: the first frame at or after each multiple of this, counted from the reader's start.
        sharpest: `every`: of each such time the sharpest frame instead, the first of equals; all frames are decoded.
        num: `uniform`, `kmeans`: how many frames, fewer only when the video has fewer different ones.
        change_threshold: `change`: mean difference of luma to the frame kept last, levels of 0 to 255.
        scene_threshold: `scene`: mean difference of luma between two successive frames that makes a cut, levels.
        min_gap_s: `change`, `scene`: frames closer than this to the one kept last are passed over.
        min_sharpness: filter: frames below are dropped; None keeps all.
        dedup_bits: filter: frames whose perceptual hash differs from that of the frame kept last in no more bits
            (0 to 64) are dropped; None keeps all.
        seed: `kmeans`: where clustering starts.
    """

    method: Method = "every"
    every_s: float = 2.0
    sharpest: bool = False
    num: int = 20
    change_threshold: float = 8.0
    scene_threshold: float = 15.0
    min_gap_s: float = 0.5
    min_sharpness: float | None = None
    dedup_bits: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.every_s <= 0 or self.num < 1:
            raise ValueError("every_s must be above 0 and num at least 1")


def every(reader: VideoReader, rule: SelectionRule, notes: Notes) -> Chosen:
    """The first frame at or after each multiple of `every_s` from the start, or the sharpest until the next."""
    if rule.sharpest:
        yield from _sharpest(reader, rule.every_s)
        return
    for frame in reader.every(rule.every_s):
        yield frame, None


def uniform(reader: VideoReader, rule: SelectionRule, notes: Notes) -> Chosen:
    """The frame shown at the middle of each of `num` equal parts of what the file really holds."""
    span = scan_video(reader.path, reader.stream)
    notes.warnings += span.warnings
    end_s = min(span.end_s, reader.end_s or span.end_s)
    times_s = span.times_s[(span.times_s >= reader.start_s) & (span.times_s < end_s)]
    if not times_s.size:
        return
    begin_s = max(reader.start_s, times_s[0])
    middles = begin_s + (np.arange(rule.num) + 0.5) * (end_s - begin_s) / rule.num
    shown = np.searchsorted(times_s, middles + SAME_MOMENT_S, side="right") - 1
    for frame in reader.at(times_s[np.unique(shown)].tolist()):
        yield frame, None


def change(reader: VideoReader, rule: SelectionRule, notes: Notes) -> Chosen:
    """The first frame, then each that differs enough from the one chosen before it."""
    kept, next_s = None, reader.start_s
    for frame in reader:
        if kept is None:
            kept, next_s = thumbnail(frame.luma), frame.time_s + rule.min_gap_s
            yield frame, None
        elif frame.time_s >= next_s:
            seen = thumbnail(frame.luma)
            score = difference(seen, kept)
            if score > rule.change_threshold:
                kept, next_s = seen, frame.time_s + rule.min_gap_s
                yield frame, score


def scene(reader: VideoReader, rule: SelectionRule, notes: Notes) -> Chosen:
    """The first frame of each scene: where luma changes at once and far more than it moved before."""
    span = scan_video(reader.path, reader.stream)
    notes.warnings += span.warnings
    yield from first_frames(reader, span, threshold=rule.scene_threshold, min_gap_s=rule.min_gap_s)


def kmeans(reader: VideoReader, rule: SelectionRule, notes: Notes) -> Chosen:
    """Of each of `num` clusters of thumbnails the frame nearest to the centre; a second pass decodes only those."""
    span = scan_video(reader.path, reader.stream)
    notes.warnings += span.warnings
    is_dense = span.num_keyframes >= _KEYFRAMES_PER_CLUSTER * rule.num
    first_pass = reader.like(only="keyframes" if is_dense else "references")
    times_s, thumbnails = _sampled(first_pass)
    notes.warnings += first_pass.warnings
    notes.num_damaged = first_pass.num_damaged
    if not times_s:
        return
    nearest, shares = cluster(np.array(thumbnails), rule.num, rule.seed)
    chosen = sorted((times_s[place], float(share)) for place, share in zip(nearest, shares, strict=True))
    scores = dict(chosen)
    for frame in reader.like(is_watched=False, threads=1).at(scores):
        yield frame, scores.get(frame.time_s)


SELECTORS: dict[Method, Callable[[VideoReader, SelectionRule, Notes], Chosen]] = {
    "every": every,
    "uniform": uniform,
    "change": change,
    "kmeans": kmeans,
    "scene": scene,
}


def cluster(
    thumbnails: UInt8[np.ndarray, "frames pixels"], num: int, seed: int
) -> tuple[Int[np.ndarray, " clusters"], Float[np.ndarray, " clusters"]]:
    """Group thumbnails by k-means.

    Returns:
        For each cluster the row nearest to its centre, the first of equals, and the share of the rows that it holds;
        as many clusters as there are different rows when these are fewer than `num`.
    """
    # Slow to import, and no other method needs them.
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no types

    data = thumbnails.astype(np.float32)
    num = min(num, len(np.unique(thumbnails, axis=0)))
    # The sums of several threads are added in the order in which they finish, so the last bits would vary.
    with threadpool_limits(limits=1):
        fitted = KMeans(num, n_init=4, random_state=seed).fit(data)
    distances = np.linalg.norm(data - fitted.cluster_centers_[fitted.labels_], axis=1)
    members = [np.flatnonzero(fitted.labels_ == label) for label in range(num)]
    nearest = [places[np.argmin(distances[places])] for places in members]
    return np.array(nearest, int), np.array([len(places) / len(data) for places in members])


def _sharpest(reader: VideoReader, every_s: float) -> Chosen:
    best: DecodedFrame | None = None
    most, interval = -1.0, 0
    for frame in reader:
        place = int((frame.time_s + SAME_MOMENT_S - reader.start_s) // every_s)
        if best is not None and place != interval:
            yield best, most
            most = -1.0
        sharp = sharpness(frame.luma)
        if sharp > most:
            best, most = frame, sharp
        interval = place
    if best is not None:
        yield best, most


def _sampled(reader: VideoReader) -> tuple[list[float], list[UInt8[np.ndarray, " pixels"]]]:
    """Times and flat thumbnails of evenly spaced frames, `_MAX_CLUSTERED` at most, in one pass."""
    times_s: list[float] = []
    rows: list[np.ndarray] = []
    stride = 1
    for number, frame in enumerate(reader):
        if number % stride:
            continue
        if len(rows) == _MAX_CLUSTERED:
            times_s, rows, stride = times_s[::2], rows[::2], stride * 2
        times_s.append(frame.time_s)
        rows.append(cv2.resize(thumbnail(frame.luma), _CLUSTERED_SIZE, interpolation=cv2.INTER_AREA).ravel())
    return times_s, rows
