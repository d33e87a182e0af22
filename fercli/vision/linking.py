"""Link boxes over time into tracks where people move and cross: by place and, where needed, by appearance.

A crop looks like its last one, a second later, far more than like another person's: means of 12 by 12 cells in Lab
differ by about 1.1 within one person's neighbouring crops, by 2.0 (drawn) or 3.7 (real) and more between eight people
of one video. How much makes another person, the video tells itself: people seen together are different ones. Who cannot
be told gets a new track: two people are never one track, though one may be several.
"""

import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from scipy.optimize import linear_sum_assignment

from fercli.vision.tracks import MAX_MISSED_FRAMES, MAX_STEP, Boxes, place_distances

Look = Float[np.ndarray, " cells"]
# The look of a face: frame number and place among its boxes; None where its crop cannot be read.
LookAt = Callable[[int, int], Look | None]

# How much less than between people seen together a look may change; without such people, the first; at most the last.
DEFAULT_CHANGE, _SHARE, _BOUNDS = 1.8, 0.85, (1.2, 3.3)
_FEW_PAIRS, _RARE = 10, 0.003
_CELLS = 12
# In face widths: a face this near to where it was, with nobody else near, is not looked at.
_STILL, _NEAR = 0.4, 1.2
# How far somebody may walk from one kept frame to the next, and in all.
_STRIDE, _MOST_STRIDES = 4.0, 8.0
# What being far away costs beside another look; farther than near is as good as anywhere.
_PLACE = 0.35
# A link counts only if no other costs nearly the same.
_TELLING = 0.15
_REMEMBERED = 3


@dataclass
class _Track:
    index: int
    last_frame: int
    boxes: list[np.ndarray] = field(default_factory=list)
    seen: list[tuple[int, int]] = field(default_factory=list)

    def add(self, box: np.ndarray, frame: int, place: int) -> None:
        self.boxes, self.seen = [*self.boxes[-1:], box], [*self.seen[1 - _REMEMBERED :], (frame, place)]
        self.last_frame = frame

    @property
    def is_still(self) -> bool:
        """Whether it hardly moved when it was last seen to move."""
        return len(self.boxes) > 1 and bool(place_distances(self.boxes[1][None], self.boxes[0][None])[0, 0] <= _STILL)

    def expected(self, frame: int) -> np.ndarray:
        """Its last box moved on as it moved before."""
        if len(self.boxes) < 2:
            return self.boxes[-1]
        before, last = self.boxes
        moved = last.copy()
        moved[:2] += (last[:2] - before[:2]) * min(frame - self.last_frame, 2)
        return moved


def look_of(crop: UInt8[np.ndarray, "_ _ 3"]) -> Look:
    """How a crop (RGB) looks: Lab means of 12 by 12 cells, lightness halved, colours by one and a half."""
    small = cv2.resize(crop, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float64)
    return np.asarray((lab * np.array([0.5, 1.5, 1.5])).ravel())


def look_change(first: Look, second: Look) -> float:
    """Mean absolute difference of two looks."""
    return float(np.abs(first - second).mean())


def telling_change(together: Sequence[Sequence[Look]]) -> float:
    """The change of look below which two crops of a video show one person, from people seen together in it."""
    changes = [look_change(a, b) for looks in together for a, b in itertools.combinations(looks, 2)]
    if len(changes) < _FEW_PAIRS:
        return DEFAULT_CHANGE
    return float(np.clip(_SHARE * np.quantile(changes, _RARE), *_BOUNDS))


def link_faces(
    frames: Sequence[Boxes],
    look_at: LookAt,
    max_change: Callable[[], float] = lambda: DEFAULT_CHANGE,
    *,
    cuts: Collection[int] = (),
    max_missed: int = MAX_MISSED_FRAMES,
) -> list[list[int]]:
    """Give each box of each frame the number of its track.

    Args:
        frames: for each frame in order of time its boxes (left, top, width, height).
        look_at: asked only where place does not tell.
        max_change: the same; see `telling_change`.
        cuts: frames that are another shot than the one before; no track crosses them.
        max_missed: a track ends after so many frames in a row without its face.

    Returns:
        Track numbers from 0 in order of appearance, in the shape of `frames`.
    """
    numbers: list[list[int]] = []
    tracks: list[_Track] = []
    num_tracks = 0
    for frame, boxes in enumerate(frames):
        tracks = [] if frame in cuts else [one for one in tracks if frame - one.last_frame <= max_missed + 1]
        found: list[int] = []
        for place, (box, partner) in enumerate(
            zip(boxes, _partners(frame, boxes, tracks, look_at, max_change), strict=True)
        ):
            if partner is None:
                partner = _Track(num_tracks, frame)
                tracks.append(partner)
                num_tracks += 1
            partner.add(box, frame, place)
            found.append(partner.index)
        numbers.append(found)
    return numbers


def _partners(
    frame: int, boxes: np.ndarray, tracks: list[_Track], look_at: LookAt, max_change: Callable[[], float]
) -> list[_Track | None]:
    """The track of each box."""
    partners: list[_Track | None] = [None] * len(boxes)
    if not tracks or not len(boxes):
        return partners
    last = place_distances(boxes, np.array([track.boxes[-1] for track in tracks]))
    expected = place_distances(boxes, np.array([track.expected(frame) for track in tracks]))
    near = np.minimum(last, expected)
    are_still = np.array([track.is_still for track in tracks])
    for place, number in _clear_pairs(np.where(are_still, last, np.inf), last):
        partners[place] = tracks[number]
        near[place], near[:, number] = np.inf, np.inf
    gaps = np.array([frame - track.last_frame for track in tracks])
    costs = np.full(near.shape, np.inf)
    for place, number in zip(*np.nonzero(near <= np.minimum(_STRIDE * gaps, _MOST_STRIDES)), strict=True):
        change = _change(look_at, (frame, int(place)), tracks[number])
        costs[place, number] = _cost(change, float(near[place, number]), max_change)
    for place, number in _sure_pairs(costs):
        partners[place] = tracks[number]
    return partners


def _clear_pairs(still: np.ndarray, distances: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of a box and a track that stands still, with nobody else near either."""
    is_near = distances <= _NEAR
    alone = (is_near.sum(axis=1, keepdims=True) == 1) & (is_near.sum(axis=0, keepdims=True) == 1)
    return [(int(box), int(track)) for box, track in np.argwhere(alone & (still <= _STILL))]


def _change(look_at: LookAt, here: tuple[int, int], track: _Track) -> float | None:
    """How a face differs from the track's last ones, the likest of them; None where that is not known."""
    look = look_at(*here)
    before = [seen for place in track.seen if (seen := look_at(*place)) is not None]
    return None if look is None else min((look_change(look, seen) for seen in before), default=None)


def _cost(change: float | None, distance: float, max_change: Callable[[], float]) -> float:
    """0 to 1.35, the less the surer; infinite where it is another person."""
    if change is None:
        return distance if distance <= MAX_STEP else np.inf
    share = change / max_change()
    return share + _PLACE * min(distance / _NEAR, 1.0) if share <= 1 else np.inf


def _sure_pairs(costs: np.ndarray) -> list[tuple[int, int]]:
    """The cheapest pairs, one to one, without those that another pair of the same box or track nearly equals."""
    possible = np.isfinite(costs)
    rows, columns = linear_sum_assignment(np.where(possible, costs, 1e3))
    sure = []
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        others = np.concatenate([np.delete(costs[row], column), np.delete(costs[:, column], row)])
        if possible[row, column] and costs[row, column] + _TELLING <= others.min(initial=np.inf):
            sure.append((row, column))
    return sure
