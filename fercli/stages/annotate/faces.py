"""The usable faces of a project with what the labelling page shows of them, read from a table of any length."""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from fercli.core.errors import InputError
from fercli.core.project import Project
from fercli.core.rows import USABLE, Face, Frame, Video
from fercli.core.tables import read_columns
from fercli.labels.matching import blind_code
from fercli.labels.order import Item

# So many faces of the same person before and after are shown on a key.
NUM_NEAR = 3


class Card(NamedTuple):
    """One face; a NamedTuple, because there may be a million."""

    face_id: str
    frame_id: str
    video_id: str
    time_s: float | None
    left: float | None
    top: float | None
    width: float | None
    height: float | None
    path: str
    track_id: str
    subject_id: str

    @property
    def group(self) -> str:
        """What faces of one person in one video share; empty where nothing is known."""
        return self.track_id or (f"{self.video_id} {self.subject_id}" if self.subject_id else "")


class FrameCard(NamedTuple):
    """What is needed to show a frame."""

    frame_id: str
    frame_index: int
    path: str
    time_s: float | None


class Faces:
    """All faces that can be labelled, in the order of the table."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.cards = {card.face_id: card for card in _cards(project)}

    def card(self, face_id: str) -> Card:
        """The face of that id.

        Raises:
            InputError: there is none.
        """
        if face_id not in self.cards:
            raise InputError(f"'{face_id}' is not a face of this project", hint="See: fer trace FACE_ID")
        return self.cards[face_id]

    def by_code(self, code: str) -> Item | None:
        """The face that goes by this name at the page."""
        return self._codes.get(code)

    def in_time(self) -> list[str]:
        """All faces as they were filmed, one person of a video after the other."""
        return sorted(self.cards, key=lambda face_id: _moment(self.cards[face_id]))

    def near(self, face_id: str) -> list[tuple[Card, float | None]]:
        """The faces of the same person just before and after, and how many seconds later each is."""
        card = self.card(face_id)
        row = self._groups.get(card.group, []) if card.group else []
        if face_id not in row:
            return []
        place = row.index(face_id)
        near = [*row[max(0, place - NUM_NEAR) : place], *row[place + 1 : place + 1 + NUM_NEAR]]
        return [(other, _later(other, card)) for other in map(self.card, near)]

    def frame(self, face_id: str) -> tuple[Frame, Video | None] | None:
        """The frame that the face is in, and its video; None for what came as a crop."""
        card = self.card(face_id)
        found = self._frames.get(card.frame_id)
        if found is None or card.left is None:
            return None
        frame = Frame(found.frame_id, card.video_id, found.frame_index, found.time_s, found.path)
        return frame, self._videos.get(card.video_id)

    @cached_property
    def _codes(self) -> dict[str, Item]:
        items: list[Item] = [(face_id, copy) for face_id in self.cards for copy in (1, 2)]
        return {blind_code(*item): item for item in items}

    @cached_property
    def _groups(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for face_id in self.in_time():
            groups.setdefault(self.cards[face_id].group, []).append(face_id)
        return groups

    @cached_property
    def _frames(self) -> dict[str, FrameCard]:
        path = self._project.table_path(Frame)
        if not self._project.has(path):
            return {}
        return self._project.read(
            path, lambda place: {row[0]: FrameCard(*row) for row in read_columns(place, Frame, FrameCard._fields)}
        )

    @cached_property
    def _videos(self) -> dict[str, Video]:
        return {video.video_id: video for video in self._project.rows(Video)}


def _cards(project: Project) -> Iterator[Card]:
    """The usable faces that have a crop.

    Raises:
        MissingStageError: there are no faces yet.
    """
    project.require(Face)
    columns = (*Card._fields, "status")
    rows = project.read(project.table_path(Face), lambda path: list(read_columns(path, Face, columns)))
    return (Card(*row[:-1]) for row in rows if row[-1] in USABLE and row[8])


def _moment(card: Card) -> tuple[str, str, float, str]:
    return card.video_id, card.group, card.time_s or 0.0, card.face_id


def _later(card: Card, than: Card) -> float | None:
    return None if card.time_s is None or than.time_s is None else round(card.time_s - than.time_s, 3)
