"""What the labelling page asks of a project: faces, their crops and frames, and the place of each annotator."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fercli.core.emotions import NO_CLASS
from fercli.core.errors import FerError, InputError
from fercli.core.project import Project
from fercli.core.rows import Vote
from fercli.data.crops import CropFiles
from fercli.data.scenes import scene_jpeg
from fercli.labels.pseudonyms import ADJUDICATOR
from fercli.labels.sheets import tallies
from fercli.stages.annotate.faces import Faces
from fercli.stages.annotate.seat import Seat
from fercli.stages.labels.guide import Definition

Record = dict[str, Any]  # JSON
# What is asked for at once.
_MAX_NEXT = 50
# A page that is loaded again is back by then; else its votes are imported.
_BACK_S = 3.0


@dataclass(frozen=True)
class Suggestion:
    """What a model makes of a face."""

    label: str
    probability: float


@dataclass
class Desk:
    """One project at the page; any number of threads.

    Attributes:
        names: pseudonym -> the name that the annotator's own page shows.
        ready: set once faces and seats are there; the page is served before.
        when_left: called once nobody has the page open any more.
    """

    project: Project
    names: Mapping[str, str]
    faces: Faces | None = None
    seats: dict[str, Seat] = field(default_factory=dict)
    guide: Sequence[Definition] = ()
    suggestions: Mapping[str, Suggestion] = field(default_factory=dict)
    suggested_by: str = ""
    failure: FerError | None = None
    ready: threading.Event = field(default_factory=threading.Event)
    when_left: Callable[[], None] = lambda: None

    def session(self, annotator: str) -> Record:
        """What the page has to know once."""
        seat = self._seat(annotator)
        classes = list(self.project.classes)
        return {
            "project": self.project.name,
            # Where the browser keeps what it could not send.
            "place": f"{self.project.name}/{annotator}",
            "annotator": self.names.get(annotator, annotator),
            "classes": classes,
            "others": list(NO_CLASS),
            "guide": [{"label": one.label, "text": one.text, "num_examples": len(one.examples)} for one in self.guide],
            "suggests": seat.rules.suggests,
            "suggested_by": self.suggested_by,
            "adjudicates": annotator == ADJUDICATOR,
            "has_scenes": True,
            **seat.counts(),
        }

    def next(self, annotator: str, asked: Mapping[str, Any]) -> Record:
        """The next faces for a window of the page."""
        seat = self._seat(annotator)
        held = [str(code) for code in asked.get("held", [])][:200]
        num = min(int(asked.get("num", _MAX_NEXT)), _MAX_NEXT)
        codes = seat.next_codes(str(asked.get("window", ""))[:64], held, num, again=asked.get("again") is True)
        return {"items": [self._item(seat, code) for code in codes], **seat.counts()}

    def save(self, annotator: str, given: Mapping[str, Any]) -> Record:
        """A vote, or its undoing, on disk; where suggestions come after the vote, that of the model comes with it."""
        seat = self._seat(annotator)
        cast = seat.save(given)
        answer: Record = {"saved": cast.id, **seat.counts()}
        if seat.rules.suggests == "after" and cast.label:
            answer["suggestion"] = self._suggestion(cast.face_id)
        return answer

    def leave(self, annotator: str, window: str) -> None:
        """A window was closed; after the last one the votes are imported, unless somebody comes back."""
        self._seat(annotator).leave(window)

        def look() -> None:
            if not any(seat.has_windows() for seat in self.seats.values()):
                self.when_left()

        timer = threading.Timer(_BACK_S, look)
        timer.daemon = True
        timer.start()

    def crop(self, annotator: str, code: str) -> bytes:
        """The face as PNG."""
        return self.crop_of(self._seat(annotator).item_of(code)[0])

    def context(self, annotator: str, code: str) -> Record:
        """Where the face is in its frame, when, and which faces of the same person come just before and after."""
        faces = self.known_faces()
        card = faces.card(self._seat(annotator).item_of(code)[0])
        return {
            "box": None if card.left is None else [card.left, card.top, card.width, card.height],
            "time_s": card.time_s,
            "has_scene": faces.frame(card.face_id) is not None,
            "near": [later_s for _, later_s in faces.near(card.face_id)],
        }

    def near(self, annotator: str, code: str, place: int) -> bytes:
        """A face of the same person just before or after, as PNG."""
        near = self.known_faces().near(self._seat(annotator).item_of(code)[0])
        if not 0 <= place < len(near):
            raise InputError("there is no such face", hint="Reload the page.")
        return self.crop_of(near[place][0].face_id)

    def scene(self, annotator: str, code: str) -> bytes:
        """The whole frame as JPEG."""
        return self.scene_of(self._seat(annotator).item_of(code)[0])

    def example(self, label_place: int, place: int) -> bytes:
        """An example of the guide as PNG."""
        self.known_faces()
        if not (0 <= label_place < len(self.guide) and 0 <= place < len(self.guide[label_place].examples)):
            raise InputError("there is no such example", hint="Reload the page.")
        return self.crop_of(self.guide[label_place].examples[place])

    def crop_of(self, face_id: str) -> bytes:
        """A face as PNG."""
        return CropFiles(self.project.root).png(self.known_faces().card(face_id).path)

    def known_faces(self) -> Faces:
        """All faces, once they are read.

        Raises:
            FerError: they could not be read.
        """
        self.ready.wait()
        if self.failure:
            raise self.failure
        assert self.faces is not None
        return self.faces

    def scene_of(self, face_id: str) -> bytes:
        """The whole frame of a face."""
        found = self.known_faces().frame(face_id)
        if found is None:
            raise InputError("this face came without a frame", hint="It was added as a crop.")
        return scene_jpeg(self.project, *found)

    def _item(self, seat: Seat, code: str) -> Record:
        face_id, _ = seat.item_of(code)
        item: Record = {"code": code}
        if seat.rules.suggests == "before":
            item["suggestion"] = self._suggestion(face_id)
        if seat.annotator == ADJUDICATOR:
            item["counts"] = self._tallies.get(face_id, {})
        return item

    def _suggestion(self, face_id: str) -> Record | None:
        found = self.suggestions.get(face_id)
        return None if found is None else {"label": found.label, "probability": round(found.probability, 3)}

    @cached_property
    def _tallies(self) -> Mapping[str, Mapping[str, int]]:
        return tallies(self.project.rows(Vote))

    def _seat(self, annotator: str) -> Seat:
        self.known_faces()
        if annotator not in self.seats:
            raise InputError("nobody labels by this link", hint="Use the link that the command printed.")
        return self.seats[annotator]
