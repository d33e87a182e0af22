"""Rows of faces to rows with tracks and subjects: one subject for each seat of a video."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fercli.core.people import DECIDED
from fercli.core.rows import Face, Frame, Video
from fercli.stages.subjects import TrackSettings
from fercli.stages.subjects.tables import Names
from fercli.vision.tracks import Track, link_tracks, seats_from_tracks


@dataclass
class _Seat:
    faces: list[Face] = field(default_factory=list)

    @property
    def frames(self) -> set[str]:
        return {face.frame_id for face in self.faces}


def assign_tracks(
    faces: Sequence[Face],
    videos: Mapping[str, Video],
    settings: TrackSettings,
    sources: Mapping[str, str],
    *,
    frames: Sequence[Frame] = (),
    force: bool,
) -> list[Face]:
    """Give each face that was cut out of a timed frame its track and its subject.

    A seat takes the subject that most of its faces have already, so that names and merges stay; a face whose subject
    a person decided keeps it.

    Args:
        faces: all rows.
        videos: by id.
        settings: see there.
        sources: where each subject comes from.
        frames: all that were kept; those without a face count as missed too.
        force: forget the subjects that tracking gave.
    """
    timed = [face for face in faces if face.status == "ok" and face.time_s is not None and face.left is not None]
    tracked = {face.face_id: face for face in _with_tracks(timed, frames, settings)}
    kept = {name for name, source in sources.items() if source in DECIDED or not force}
    names = Names({face.subject_id for face in faces if face.subject_id})
    for group in _groups(tracked.values(), videos, settings):
        for seat, name in _named_seats(_seats(group, videos, settings), kept, names):
            for face in seat.faces:
                is_decided = sources.get(face.subject_id, "") in DECIDED
                tracked[face.face_id] = face if is_decided else replace(face, subject_id=name)
    return [tracked.get(face.face_id, face) for face in faces]


def _with_tracks(faces: Iterable[Face], kept: Iterable[Frame], settings: TrackSettings) -> list[Face]:
    of_video: dict[str, dict[tuple[float, str], list[Face]]] = defaultdict(lambda: defaultdict(list))
    for face in faces:
        of_video[face.video_id][face.time_s or 0.0, face.frame_id].append(face)
    for frame in kept:
        if frame.time_s is not None and frame.video_id in of_video:
            of_video[frame.video_id][frame.time_s, frame.frame_id].extend(())  # makes its place
    found = []
    for video_id in sorted(of_video):
        moments = [of_video[video_id][moment] for moment in sorted(of_video[video_id])]
        numbers = link_tracks([_boxes(moment) for moment in moments], max_missed=settings.max_missed)
        for moment, tracks in zip(moments, numbers, strict=True):
            found += [
                replace(face, track_id=f"{video_id}/t{track:03d}") for face, track in zip(moment, tracks, strict=True)
            ]
    return found


def _boxes(faces: Sequence[Face], scale: float = 1.0) -> np.ndarray:
    rows = [(face.left, face.top, face.width, face.height) for face in faces]
    return np.array(rows, dtype=np.float64).reshape(-1, 4) * scale


def _groups(faces: Iterable[Face], videos: Mapping[str, Video], settings: TrackSettings) -> list[list[Face]]:
    """Faces among which a seat may be one person's: a video's, or a session's."""
    groups: dict[str, list[Face]] = defaultdict(list)
    for face in faces:
        video = videos.get(face.video_id)
        is_joined = settings.join_sessions and video is not None and video.session
        groups[f"session {video.session}" if is_joined and video else face.video_id].append(face)
    return sorted(groups.values(), key=lambda group: min(face.video_id for face in group))


def _seats(faces: list[Face], videos: Mapping[str, Video], settings: TrackSettings) -> list[_Seat]:
    tracks: dict[str, list[Face]] = defaultdict(list)
    for face in faces:
        tracks[face.track_id].append(face)
    names = sorted(tracks)
    if settings.camera == "moving":
        return [_Seat(tracks[name]) for name in names]
    # Videos of one session may differ in size, so places are shares of the picture's width.
    widths = {video_id: video.width or 1 for video_id, video in videos.items()}
    scales = [1.0 / widths.get(tracks[name][0].video_id, 1) for name in names]
    places = [
        Track(_boxes(tracks[name], scale), tuple(face.frame_id for face in tracks[name]))
        for name, scale in zip(names, scales, strict=True)
    ]
    seats: dict[int, _Seat] = defaultdict(_Seat)
    for name, number in zip(names, seats_from_tracks(places), strict=True):
        seats[number].faces += tracks[name]
    return [seats[number] for number in sorted(seats)]


def _named_seats(seats: list[_Seat], kept: set[str], names: Names) -> list[tuple[_Seat, str]]:
    """Each seat with its subject; two seats seen in one frame never get the same."""
    wishes = [Counter(face.subject_id for face in seat.faces if face.subject_id in kept) for seat in seats]
    offers = sorted(
        ((count, name, place) for place, wish in enumerate(wishes) for name, count in wish.items()),
        key=lambda offer: (-offer[0], offer[1], offer[2]),
    )
    given: dict[int, str] = {}
    for _, name, place in offers:
        others = [seats[other] for other, taken in given.items() if taken == name]
        if place not in given and all(seats[place].frames.isdisjoint(other.frames) for other in others):
            given[place] = name
    return [(seat, given.get(place) or names.new()) for place, seat in enumerate(seats)]
