"""Assign tracks and subjects to faces: one subject for each seat, and for each person who walks about."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fercli.core.people import KEPT
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Frame, Video
from fercli.stages.subjects import TrackSettings
from fercli.stages.subjects.appearance import looks_of
from fercli.stages.subjects.looks import Looks, find_views, nearest_change
from fercli.stages.subjects.tables import Names
from fercli.vision.joining import join_parts
from fercli.vision.linking import LookAt, link_faces
from fercli.vision.tracks import Track, seats_from_tracks

# In face widths: who gets about by more does not sit.
_WALKS = 1.5
# Share of the faces that are of people who walk, from which on nobody is taken to sit.
_MANY = 0.25
# Parts of one person have looks that differ by less than this share of what tells people apart (vision/linking.py), and
# by so much less than from whoever is seen beside one of them.
_SHARE, _LEAD = 0.9, 0.3
# Means of parts by SFace (vision/likeness.py), and by how much they exceed those of any two people seen together.
_SAME_FACE, _ABOVE_OTHERS, _FACE_LEAD = 0.5, 0.03, 0.05
# No face of a later part is like any of an earlier one: another person, or one who has turned away for good.
_ANOTHER = 3.5
_FEW = 4


@dataclass(frozen=True)
class Doubt:
    """What a person should look at: one subject that may be two, or two that may be one."""

    title: str
    note: str
    parts: tuple[Sequence[Face], ...]


@dataclass(frozen=True)
class Tracked:
    """All rows with their tracks and subjects, what is in doubt, how many views each video of several has, and strays.

    Strays are single faces among people who walk that look like nobody else: half hidden, or not to be told.
    """

    faces: list[Face]
    doubts: list[Doubt]
    views: dict[str, int]
    num_strays: int = 0


@dataclass
class _Seat:
    faces: list[Face] = field(default_factory=list)
    walks: bool = False

    @property
    def frames(self) -> set[str]:
        return {face.frame_id for face in self.faces}


def assign_tracks(
    project: Project,
    faces: Sequence[Face],
    settings: TrackSettings,
    sources: Mapping[str, str],
    *,
    force: bool,
    progress: Progress = SILENT,
) -> Tracked:
    """Give each face that was cut out of a timed frame its track and its subject.

    A seat takes the subject that most of its faces have already, so that names and merges stay; a face whose subject
    a person decided keeps it.

    Args:
        project: its videos, kept frames and crops; frames without a face count as missed too.
        faces: all rows.
        settings: see there.
        sources: where each subject comes from.
        force: forget the subjects that tracking gave.
        progress: told of what is compared.

    Raises:
        InputError: appearance is asked for and its network is not installed.
    """
    videos = {video.video_id: video for video in project.rows(Video)}
    looks, views = Looks(project), _Views(project, faces)
    timed = [face for face in faces if face.status == "ok" and face.time_s is not None and face.left is not None]
    tracked = {face.face_id: face for face in _with_tracks(timed, views, looks, settings)}
    kept = {name for name, source in sources.items() if source in KEPT or not force}
    names = Names(face.subject_id for face in faces if face.subject_id)
    doubts: list[Doubt] = []
    strays: list[Face] = []
    for group in _groups(tracked.values(), videos, settings):
        seats, between = _joined(project, _seats(group, videos, settings, views), looks, settings, progress)
        seats, stray = _without_strays(seats)
        strays += stray
        named = _named_seats(seats, kept, names)
        for seat, name in named:
            for face in seat.faces:
                is_decided = sources.get(face.subject_id, "") in KEPT
                tracked[face.face_id] = face if is_decided else replace(face, subject_id=name)
        doubts += _doubts([(seat, name) for seat, name in named], between, looks)
    for face in strays:
        if sources.get(face.subject_id, "") not in KEPT:
            tracked[face.face_id] = replace(face, subject_id="")
    return Tracked([tracked.get(face.face_id, face) for face in faces], doubts, views.several, len(strays))


class _Views:
    """Of each frame of a video, which shot and which of the camera's views it belongs to."""

    def __init__(self, project: Project, faces: Iterable[Face]) -> None:
        kept: dict[str, dict[tuple[float, str], Frame | None]] = defaultdict(dict)
        for face in faces:
            if face.time_s is not None:
                kept[face.video_id].setdefault((face.time_s, face.frame_id), None)
        for frame in project.rows(Frame):
            if frame.time_s is not None and frame.video_id in kept:
                kept[frame.video_id][frame.time_s, frame.frame_id] = frame
        self.frame_ids = {video: [place[1] for place in sorted(own)] for video, own in kept.items()}
        self.cuts: dict[str, set[int]] = {}
        self.of_frame: dict[str, int] = {}
        self.several: dict[str, int] = {}
        for video, own in kept.items():
            self.cuts[video], found = find_views(project, [own[place] for place in sorted(own)])
            self.of_frame |= dict(zip(self.frame_ids[video], found, strict=True))
            if len(set(found)) > 1:
                self.several[video] = len(set(found))


def _with_tracks(faces: Iterable[Face], views: _Views, looks: Looks, settings: TrackSettings) -> list[Face]:
    of_frame: dict[str, list[Face]] = defaultdict(list)
    for face in faces:
        of_frame[face.frame_id].append(face)
    found: list[Face] = []
    for video in sorted({face.video_id for own in of_frame.values() for face in own}):
        moments = [of_frame.get(frame_id, []) for frame_id in views.frame_ids[video]]
        numbers = link_faces(
            [_boxes(moment) for moment in moments],
            _look_at(looks, moments),
            looks.told_apart(moments),
            cuts=views.cuts[video],
            max_missed=settings.max_missed,
        )
        for moment, tracks in zip(moments, numbers, strict=True):
            found += [
                replace(face, track_id=f"{video}/t{track:03d}") for face, track in zip(moment, tracks, strict=True)
            ]
    return found


def _look_at(looks: Looks, moments: Sequence[Sequence[Face]]) -> LookAt:
    return lambda frame, place: looks.of(moments[frame][place])


def _boxes(faces: Sequence[Face], scale: float = 1.0) -> np.ndarray:
    rows = [(face.left, face.top, face.width, face.height) for face in faces]
    return np.array(rows, dtype=np.float64).reshape(-1, 4) * scale


def _groups(faces: Iterable[Face], videos: Mapping[str, Video], settings: TrackSettings) -> list[list[Face]]:
    """Faces among which a seat may be one person's: a video's, or a session's."""
    groups: dict[str, list[Face]] = defaultdict(list)
    for face in faces:
        video = videos.get(face.video_id)
        is_joined = settings.join_sessions and video is not None and video.session
        session = "" if settings.across_sessions or video is None else video.session
        groups[f"session {session}" if is_joined else face.video_id].append(face)
    return sorted(groups.values(), key=lambda group: min(face.video_id for face in group))


def _seats(faces: list[Face], videos: Mapping[str, Video], settings: TrackSettings, views: _Views) -> list[_Seat]:
    """Each who walks, and each seat of those who sit: tracks in one place of one view that are never seen together."""
    tracks: dict[str, list[Face]] = defaultdict(list)
    for face in faces:
        tracks[face.track_id].append(face)
    walking = {name for name, own in tracks.items() if _walks(own)}
    if settings.camera == "moving" or _many_walk(tracks, walking):
        walking = set(tracks)
    in_view: dict[int, list[str]] = defaultdict(list)
    for name in sorted(set(tracks) - walking):
        in_view[views.of_frame.get(tracks[name][0].frame_id, 0)].append(name)
    found = [seat for view in sorted(in_view) for seat in _seats_of(in_view[view], tracks, videos)]
    return found + [_Seat(tracks[name], walks=True) for name in sorted(walking)]


def _many_walk(tracks: Mapping[str, Sequence[Face]], walking: Collection[str]) -> bool:
    """Whether so many walk that a place says nothing of who is in it; tracks of a face or two do not tell."""
    long = {name: len(own) for name, own in tracks.items() if len(own) > 2}
    return sum(long[name] for name in long if name in walking) > _MANY * sum(long.values())


def _walks(faces: Sequence[Face]) -> bool:
    boxes = _boxes(faces)
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    low, high = np.quantile(centres, [0.1, 0.9], axis=0)
    return bool(np.hypot(*(high - low)) > _WALKS * np.median(boxes[:, 2]))


def _seats_of(names: Sequence[str], tracks: Mapping[str, list[Face]], videos: Mapping[str, Video]) -> list[_Seat]:
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


def _joined(
    project: Project, seats: list[_Seat], looks: Looks, settings: TrackSettings, progress: Progress
) -> tuple[list[_Seat], list[tuple[_Seat, _Seat]]]:
    """Seats and walkers with those joined that look like one person, and pairs that may be one."""
    if not any(seat.walks for seat in seats) or len(seats) < 2:
        return seats, []
    samples = [looks.some_of(seat.faces) for seat in seats]
    likeness = np.array([[-nearest_change(first, second) for second in samples] for first in samples])
    moments: dict[str, list[Face]] = defaultdict(list)
    for seat in seats:
        for face in seat.faces:
            moments[face.frame_id].append(face)
    least = -_SHARE * looks.told_apart([moments[frame] for frame in sorted(moments)])()
    seats, doubtful = _join_once(seats, likeness, least=least, lead=_LEAD)
    if settings.appearance and len(seats) > 1:
        own = {str(place): seat.faces for place, seat in enumerate(seats)}
        vectors = looks_of(project, own, progress).vectors
        table = [[vectors.get(str(place)) for place in range(len(seats))]][0]
        likeness = np.array(
            [[-np.inf if a is None or b is None else float(a @ b) for b in table] for a in table], dtype=float
        )
        apart = [[not one.frames.isdisjoint(other.frames) for other in seats] for one in seats]
        others = np.where(np.array(apart) & ~np.eye(len(seats), dtype=bool), likeness, -np.inf)
        least = max(_SAME_FACE, float(others.max()) + _ABOVE_OTHERS)
        seats, doubtful = _join_once(seats, likeness, least=least, lead=_FACE_LEAD)
    return seats, doubtful


def _without_strays(seats: list[_Seat]) -> tuple[list[_Seat], list[Face]]:
    """The seats without single faces of walkers, where there are people who were seen longer."""
    if max((len(seat.faces) for seat in seats), default=0) <= _FEW:
        return seats, []
    stray = [seat.walks and len(seat.faces) == 1 for seat in seats]
    kept = [seat for seat, is_stray in zip(seats, stray, strict=True) if not is_stray]
    return kept, [seat.faces[0] for seat, is_stray in zip(seats, stray, strict=True) if is_stray]


def _join_once(
    seats: list[_Seat], likeness: np.ndarray, *, least: float, lead: float
) -> tuple[list[_Seat], list[tuple[_Seat, _Seat]]]:
    walks = np.array([seat.walks for seat in seats])
    # Two seats are two people, however alike they look.
    joined = join_parts(
        likeness, [seat.frames for seat in seats], walks[:, None] | walks[None, :], least=least, lead=lead
    )
    groups: list[_Seat] = [_Seat() for _ in range(max(joined.groups) + 1)]
    for seat, number in zip(seats, joined.groups, strict=True):
        groups[number].faces += seat.faces
        groups[number].walks = groups[number].walks or seat.walks
    return groups, [(groups[first], groups[second]) for first, second in joined.doubtful]


def _doubts(named: Sequence[tuple[_Seat, str]], between: Sequence[tuple[_Seat, _Seat]], looks: Looks) -> list[Doubt]:
    name_of = {id(seat): name for seat, name in named}
    found = []
    for seat, name in named:
        if (parts := _two_people(seat, looks)) is not None:
            later = parts[1][0]
            found.append(Doubt(name, f"two people? other from {later.face_id}", parts))
    for first, second in between:
        names = sorted((name_of[id(first)], name_of[id(second)]))
        found.append(Doubt(" = ".join(names), "one person?", (first.faces, second.faces)))
    return found


def _two_people(seat: _Seat, looks: Looks) -> tuple[list[Face], list[Face]] | None:
    """The faces of a seat before and after the moment from which on nobody looks like anybody before."""
    faces = sorted(seat.faces, key=lambda face: (face.video_id, face.time_s or 0.0))
    sampled = looks.sampled(faces)
    for place in range(1, len(sampled)):
        before, after = ([look for _, look in half] for half in (sampled[:place], sampled[place:]))
        if nearest_change(before, after) > _ANOTHER:
            first = faces.index(sampled[place][0])
            return faces[:first], faces[first:]
    return None


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
