"""Collect what the review page shows: where annotators disagree, how the model errs, which labels are doubtful."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from fercli.core.emotions import NO_CLASS
from fercli.core.errors import InputError
from fercli.core.project import Project
from fercli.core.rows import Label, Prediction, Vote
from fercli.labels.pseudonyms import ADJUDICATOR
from fercli.labels.suspicion import Suspicion, confusion, suspicious_labels
from fercli.stages.annotate.desk import Desk
from fercli.stages.annotate.faces import Faces
from fercli.stages.annotate.held_out import HeldOut, held_out
from fercli.stages.labels.repeats import comments
from fercli.stages.labels.waiting import count_waiting

Record = dict[str, Any]  # JSON
# So many faces are shown of one kind; how many there are is said.
_MOST_CASES = 300


@dataclass
class ReviewDesk:
    """The project as it was when the page was last loaded; any number of threads."""

    desk: Desk

    @property
    def project(self) -> Project:
        """What is reviewed."""
        return self.desk.project

    def overview(self) -> Record:
        """All figures, from the tables as they are now; each is a click away from its faces."""
        for name in ("_votes", "_by_face", "_words", "_labels", "_held_out", "_comments", "_suspicions"):
            self.__dict__.pop(name, None)
        classes = [*self.project.classes, *NO_CLASS]
        shown = [name for name in classes if name in self.project.classes or self._words[name]]
        labelled = [(label.label, vote.label) for vote, label in self._voted()]
        judged = [(self._labels[face_id].label, row.predicted) for face_id, row in self._judged().items()]
        return {
            "project": self.project.name,
            "classes": list(self.project.classes),
            "words": shown,
            "num_votes": len(self._votes),
            "pairs": self._pairs(),
            "people": confusion([row for row, _ in labelled], [column for _, column in labelled], shown),
            "model": confusion([row for row, _ in judged], [column for _, column in judged], shown),
            "model_source": self._held_out.source,
            "num_suspicious": len(self._suspicions),
            "suspicious_by_class": dict(Counter(self._labels[face_id].label for face_id, _ in self._suspicions)),
            "num_open": sum(label.status in ("tie", "no_majority") for label in self._labels.values()),
            "num_comments": len(self._comments),
            "num_waiting": count_waiting(self.project),
        }

    def cases(self, asked: Mapping[str, Any]) -> Record:
        """The faces behind one figure: a pair of annotators, a cell of a matrix, the labels in doubt, open faces.

        Raises:
            InputError: there is no such figure.
        """
        kinds: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
            "pair": self._apart,
            "people": self._voted_so,
            "model": self._judged_so,
            "suspicious": lambda _: [face_id for face_id, _ in self._suspicions],
            "open": lambda _: [one.face_id for one in self._labels.values() if one.status in ("tie", "no_majority")],
            "comments": lambda _: sorted(self._comments),
        }
        try:
            found = kinds[str(asked.get("kind"))](asked)
        except KeyError as error:
            raise InputError("there is no such figure", hint="Reload the page.") from error
        known = [face_id for face_id in found if face_id in self._faces]
        return {"total": len(known), "faces": [self._case(face_id) for face_id in known[:_MOST_CASES]]}

    def face(self, face_id: str) -> Record:
        """One face, its votes and what the model makes of it.

        Raises:
            InputError: there is no such face.
        """
        card = self._desk_faces().card(face_id)
        prediction = self._held_out.rows.get(face_id)
        return {
            **self._case(face_id),
            "status": self._labels[face_id].status if face_id in self._labels else "no votes",
            "video": card.video_id,
            "subject": card.subject_id,
            "time_s": card.time_s,
            "box": None if card.left is None else [card.left, card.top, card.width, card.height],
            "has_scene": self._desk_faces().frame(face_id) is not None,
            "probabilities": dict(prediction.probabilities) if prediction else {},
            "comments": [{"annotator": who, "text": text} for who, text in self._comments.get(face_id, ())],
        }

    def crop(self, face_id: str) -> bytes:
        """The face as PNG."""
        return self.desk.crop_of(face_id)

    def scene(self, face_id: str) -> bytes:
        """Its frame as JPEG."""
        return self.desk.scene_of(face_id)

    def _case(self, face_id: str) -> Record:
        label, row = self._labels.get(face_id), self._held_out.rows.get(face_id)
        return {
            "face": face_id,
            "label": label.label if label else "",
            "votes": {vote.annotator: vote.label for vote in self._by_face.get(face_id, ())},
            "predicted": row.predicted if row else "",
            "probability": round(row.probabilities.get(row.predicted, 0.0), 3) if row else None,
        }

    def _pairs(self) -> list[Record]:
        """Each two annotators, those who disagree most first."""
        common: Counter[tuple[str, str]] = Counter()
        apart: Counter[tuple[str, str]] = Counter()
        for votes in self._by_face.values():
            people = sorted((vote for vote in votes if vote.annotator != ADJUDICATOR), key=lambda vote: vote.annotator)
            for first, second in combinations(people, 2):
                common[first.annotator, second.annotator] += 1
                apart[first.annotator, second.annotator] += first.label != second.label
        order = sorted(common, key=lambda pair: (-apart[pair] / common[pair], pair))
        return [{"first": a, "second": b, "num_common": common[a, b], "num_apart": apart[a, b]} for a, b in order]

    def _apart(self, asked: Mapping[str, Any]) -> list[str]:
        found = []
        for face_id, votes in self._by_face.items():
            said = {vote.annotator: vote.label for vote in votes}
            first, second = said.get(str(asked["first"])), said.get(str(asked["second"]))
            if first is not None and second is not None and first != second:
                found.append(face_id)
        return found

    def _voted_so(self, asked: Mapping[str, Any]) -> list[str]:
        cell = asked["row"], asked["column"]
        return sorted({label.face_id for vote, label in self._voted() if (label.label, vote.label) == cell})

    def _judged_so(self, asked: Mapping[str, Any]) -> list[str]:
        cell = asked["row"], asked["column"]
        rows = self._judged().items()
        return [face_id for face_id, row in rows if (self._labels[face_id].label, row.predicted) == cell]

    def _voted(self) -> list[tuple[Vote, Label]]:
        """Annotators' votes on faces that have a label."""
        pairs = [(vote, self._labels.get(vote.face_id)) for vote in self._votes if vote.annotator != ADJUDICATOR]
        return [(vote, label) for vote, label in pairs if label and label.label]

    def _judged(self) -> dict[str, Prediction]:
        rows = self._held_out.rows.items()
        return {face_id: row for face_id, row in rows if face_id in self._labels and self._labels[face_id].label}

    @cached_property
    def _suspicions(self) -> list[tuple[str, Suspicion]]:
        judged, classes = self._judged(), self.project.classes
        faces = [face_id for face_id in judged if self._labels[face_id].label in classes]
        table = np.array([[judged[face_id].probabilities.get(name, 0.0) for name in classes] for face_id in faces])
        labels = np.array([classes.index(self._labels[face_id].label) for face_id in faces], dtype=np.int64)
        found = suspicious_labels(table.reshape(len(faces), len(classes)), labels)
        return [(faces[one.place], one) for one in found]

    @cached_property
    def _votes(self) -> list[Vote]:
        return self.project.rows(Vote)

    @cached_property
    def _by_face(self) -> dict[str, list[Vote]]:
        found: dict[str, list[Vote]] = {}
        for vote in self._votes:
            found.setdefault(vote.face_id, []).append(vote)
        return found

    @cached_property
    def _words(self) -> Counter[str]:
        return Counter(vote.label for vote in self._votes)

    @cached_property
    def _labels(self) -> dict[str, Label]:
        return {label.face_id: label for label in self.project.rows(Label)}

    @cached_property
    def _held_out(self) -> HeldOut:
        return held_out(self.project)

    @cached_property
    def _comments(self) -> dict[str, list[tuple[str, str]]]:
        return comments(self.project)

    @property
    def _faces(self) -> Mapping[str, object]:
        return self._desk_faces().cards

    def _desk_faces(self) -> Faces:
        return self.desk.known_faces()
