"""Link boxes over time into tracks, and tracks into seats: who is the same person in one video, by place alone.

A class sits still before a fixed camera, so a place in the picture is a person. Nothing here looks at a face: two
people who take the same seat one after the other are one, and one who changes seats is two, until a user says else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from fercli.vision.mtcnn.boxes import overlap_matrix

Boxes = Float[np.ndarray, "_ 4"]

# In face widths. Heads sway by half a width and lean by one; neighbours sit at least one and a half apart.
MAX_STEP = 1.0
MAX_SEAT_DISTANCE = 0.8
# One face's width against another's: the same person leans forward, another sits a row behind.
MAX_SIZE_RATIO = 1.8
MAX_MISSED_FRAMES = 5


@dataclass
class _Track:
    index: int
    box: np.ndarray
    mean: np.ndarray
    num_faces: int
    last_frame: int


@dataclass(frozen=True)
class Track:
    """One face followed over frames.

    Attributes:
        boxes: left, top, width, height for each frame it was seen in.
        frames: those frames, by any name that sorts (index, or video and index).
    """

    boxes: Boxes
    frames: tuple[object, ...]


@dataclass
class _Seat:
    tracks: list[int]
    centre: np.ndarray
    width: float
    num_faces: int
    frames: set[object] = field(default_factory=set)


def match_boxes(old: Boxes, new: Boxes, min_overlap: float = 0.5) -> list[int | None]:
    """For each new box the old one it overlaps most by at least `min_overlap` (IoU), each old one at most once.

    Args:
        old: left, top, width, height.
        new: the same.
        min_overlap: shared area over the union.
    """
    overlaps = overlap_matrix(_corners(new), _corners(old))
    return _pair(-overlaps, overlaps >= min_overlap)


def link_tracks(frames: Sequence[Boxes], *, max_missed: int = MAX_MISSED_FRAMES) -> list[list[int]]:
    """Give each box of each frame the number of its track.

    A box goes on the track whose last or usual place is nearest, within a face's width and of similar size.

    Args:
        frames: for each frame in order of time its boxes (left, top, width, height).
        max_missed: a track ends after so many frames in a row without its face.

    Returns:
        Track numbers from 0 in order of appearance, in the shape of `frames`.
    """
    numbers: list[list[int]] = []
    tracks: list[_Track] = []
    num_tracks = 0
    for frame, boxes in enumerate(frames):
        tracks = [track for track in tracks if frame - track.last_frame <= max_missed + 1]
        distances = _step_distances(boxes, tracks)
        found: list[int] = []
        for box, place in zip(boxes, _pair(distances, distances <= MAX_STEP), strict=True):
            if place is None:
                tracks.append(_Track(num_tracks, box, box.copy(), 1, frame))
                found.append(num_tracks)
                num_tracks += 1
            else:
                _extend(tracks[place], box, frame)
                found.append(tracks[place].index)
        numbers.append(found)
    return numbers


def seats_from_tracks(tracks: Sequence[Track]) -> list[int]:
    """The seat number of each track: tracks in one place that are never seen in the same frame share a seat.

    Long tracks make the seats, short ones join the nearest; then the nearest seats are joined as long as any can be.
    Seats are numbered from left to right.
    """
    seats: list[_Seat] = []
    for index in sorted(range(len(tracks)), key=lambda index: -len(tracks[index].boxes)):
        seat = _seat(index, tracks[index])
        nearest = _nearest_free(seat, seats)
        if nearest is None:
            seats.append(seat)
        else:
            _join(nearest, seat)
    while (pair := _nearest_pair(seats)) is not None:
        first, second = pair
        _join(seats[first], seats.pop(second))
    numbers = [0] * len(tracks)
    order = sorted(seats, key=lambda seat: (float(seat.centre[0]), float(seat.centre[1]), seat.tracks[0]))
    for number, seat in enumerate(order):
        for track in seat.tracks:
            numbers[track] = number
    return numbers


def _pair(costs: np.ndarray, is_allowed: np.ndarray) -> list[int | None]:
    """For each row its column, cheapest pairs first, no column twice."""
    partners: list[int | None] = [None] * len(costs)
    taken: set[int] = set()
    rows, columns = np.nonzero(is_allowed)
    for place in np.argsort(costs[rows, columns], kind="stable"):
        row, column = int(rows[place]), int(columns[place])
        if partners[row] is None and column not in taken:
            partners[row] = column
            taken.add(column)
    return partners


def _step_distances(boxes: np.ndarray, tracks: list[_Track]) -> np.ndarray:
    """Distance of each box from each track in face widths; infinite where the sizes differ too much."""
    if not tracks or not len(boxes):
        return np.full((len(boxes), len(tracks)), np.inf)
    last = place_distances(boxes, np.array([track.box for track in tracks]))
    usual = place_distances(boxes, np.array([track.mean for track in tracks]))
    nearer: np.ndarray = np.minimum(last, usual)
    return nearer


def place_distances(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each box from each other in face widths; infinite where the sizes differ too much."""
    shifts = (boxes[:, None, :2] + boxes[:, None, 2:] / 2) - (others[None, :, :2] + others[None, :, 2:] / 2)
    widths, other_widths = boxes[:, None, 2], others[None, :, 2]
    larger, smaller = np.maximum(widths, other_widths), np.minimum(widths, other_widths)
    distances = np.hypot(shifts[..., 0], shifts[..., 1]) / ((widths + other_widths) / 2)
    return np.asarray(np.where(larger <= MAX_SIZE_RATIO * smaller, distances, np.inf))


def _extend(track: _Track, box: np.ndarray, frame: int) -> None:
    track.num_faces += 1
    track.mean += (box - track.mean) / track.num_faces
    track.box, track.last_frame = box, frame


def _seat(index: int, track: Track) -> _Seat:
    middle = np.median(track.boxes, axis=0)
    return _Seat([index], middle[:2] + middle[2:] / 2, float(middle[2]), len(track.boxes), set(track.frames))


def _nearest_free(seat: _Seat, seats: list[_Seat]) -> _Seat | None:
    """The nearest of `seats` in reach that is never seen together with `seat`."""
    if not seats:
        return None
    distances = place_distances(_seat_boxes([seat]), _seat_boxes(seats))[0]
    for place in np.argsort(distances, kind="stable").tolist():
        if distances[place] > MAX_SEAT_DISTANCE:
            return None
        other: _Seat = seats[place]
        if other.frames.isdisjoint(seat.frames):
            return other
    return None


def _nearest_pair(seats: list[_Seat]) -> tuple[int, int] | None:
    if len(seats) < 2:
        return None
    boxes = _seat_boxes(seats)
    distances = place_distances(boxes, boxes)
    rows, columns = np.nonzero(np.triu(distances <= MAX_SEAT_DISTANCE, k=1))
    for place in np.argsort(distances[rows, columns], kind="stable"):
        first, second = int(rows[place]), int(columns[place])
        if seats[first].frames.isdisjoint(seats[second].frames):
            return first, second
    return None


def _seat_boxes(seats: list[_Seat]) -> np.ndarray:
    return np.array([[*(seat.centre - seat.width / 2), seat.width, seat.width] for seat in seats])


def _join(seat: _Seat, other: _Seat) -> None:
    total = seat.num_faces + other.num_faces
    share = other.num_faces / total
    seat.centre = seat.centre + (other.centre - seat.centre) * share
    seat.width += (other.width - seat.width) * share
    seat.tracks += other.tracks
    seat.num_faces = total
    seat.frames |= other.frames


def _corners(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
