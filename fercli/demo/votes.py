"""Simulate annotators who disagree, and write their votes as labelling tools do."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from fercli.core.emotions import UNKNOWN
from fercli.core.files import replace_text

# What an emotion is taken for when an annotator errs, and how often among the errors.
CONFUSED_WITH: dict[str, dict[str, float]] = {
    "happy": {"neutral": 0.7, "confused": 0.2, "dedicated": 0.1},
    "dedicated": {"neutral": 0.5, "confused": 0.3, "tired": 0.1, "bored": 0.1},
    "neutral": {"dedicated": 0.45, "bored": 0.4, "happy": 0.1, "confused": 0.05},
    "confused": {"dedicated": 0.5, "neutral": 0.3, "bored": 0.2},
    "tired": {"bored": 0.7, "neutral": 0.2, "dedicated": 0.1},
    "bored": {"tired": 0.5, "neutral": 0.4, "confused": 0.1},
}
NAMES = ("amara", "bruno", "chen", "dalia", "emil", "farah", "goran", "hana", "ivo", "jun")
_FIRST_VOTE = datetime(2024, 3, 4, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class JudgedFace:
    """A face that is shown to annotators, with the truth that they don't know.

    `lure` is what this face is most easily mistaken for, by anybody; `pull` (0 to 1) is how easily.
    """

    face_id: str
    path: str
    emotion: str
    lure: str
    pull: float


@dataclass(frozen=True, slots=True)
class Annotator:
    """One who votes; the shares are probabilities for a face that shows its emotion in full."""

    name: str
    accuracy: float
    skips: float
    gives_up: float


@dataclass(frozen=True, slots=True)
class DrawnVote:
    """One vote; `label` is a class or "unknown", and empty for a skipped face. `confidence` is 0 to 1."""

    face: JudgedFace
    annotator: str
    label: str
    confidence: float
    created_at: str


def present_face(face_id: str, path: str, emotion: str, intensity: float, *, seed: int) -> JudgedFace:
    """Make a face ready for judgement; the fainter its emotion, the stronger the lure of another one."""
    rng = _chances(seed, face_id)
    others = CONFUSED_WITH[emotion]
    lure = str(rng.choice(list(others), p=list(others.values())))
    pull = float(np.clip(rng.beta(0.4, 4.0) * (1.6 - intensity), 0.0, 0.9))
    return JudgedFace(face_id, path, emotion, lure, pull)


def draw_annotators(num_annotators: int, seed: int) -> tuple[Annotator, ...]:
    """Make up annotators, each with an accuracy of their own."""
    rng = _chances(seed)
    return tuple(
        Annotator(
            name=NAMES[index] if index < len(NAMES) else f"annotator-{index + 1}",
            accuracy=float(rng.uniform(0.8, 0.95)),
            skips=float(rng.uniform(0.0, 0.04)),
            gives_up=float(rng.uniform(0.0, 0.03)),
        )
        for index in range(num_annotators)
    )


def cast_votes(annotator: Annotator, faces: Sequence[JudgedFace], seed: int) -> list[DrawnVote]:
    """Let one annotator judge all faces, in order; faces with a strong lure are missed and given up more often.

    What is said of a face does not depend on which other faces there are: a detector that finds one more or less
    leaves the other votes as they were.
    """
    votes = []
    moment = _FIRST_VOTE + timedelta(minutes=float(_chances(seed, annotator.name).uniform(0, 600)))
    for face in faces:
        rng = _chances(seed, annotator.name, face.face_id)
        moment += timedelta(seconds=float(rng.gamma(2.0, 2.0)))
        label, confidence = _judge(annotator, face, rng)
        votes.append(DrawnVote(face, annotator.name, label, confidence, moment.strftime("%Y-%m-%dT%H:%M:%SZ")))
    return votes


def _chances(seed: int, *what: str) -> np.random.Generator:
    """A generator of its own for everything that is drawn."""
    return np.random.default_rng([seed, *"\n".join(what).encode()])


def _judge(annotator: Annotator, face: JudgedFace, rng: np.random.Generator) -> tuple[str, float]:
    clarity, chance = 1 - face.pull, rng.random()
    confidence = round(float(np.clip(rng.normal(0.5 + 0.4 * clarity, 0.1), 0.2, 1.0)), 2)
    if chance < annotator.skips:
        return "", confidence
    if chance < annotator.skips + annotator.gives_up / clarity:
        return UNKNOWN, confidence
    if rng.random() < annotator.accuracy * clarity:
        return face.emotion, confidence
    if rng.random() < 0.7:
        return face.lure, round(0.9 * confidence, 2)
    others = CONFUSED_WITH[face.emotion]
    return str(rng.choice(list(others), p=list(others.values()))), round(0.8 * confidence, 2)


def write_votes(folder: Path, votes: Sequence[Sequence[DrawnVote]]) -> tuple[Path, ...]:
    """Write the votes of several annotators (one sequence each) to files of up to three formats.

    Annotators take turns between a long CSV, a wide CSV with other words in its header, and an export of Label
    Studio, so that each of them is in one file.
    """
    forms = ((folder / "votes-long.csv", _long_csv), (folder / "votes-wide.csv", _wide_csv))
    written = []
    for turn, (path, form) in enumerate((*forms, (folder / "label-studio.json", _label_studio))):
        if group := votes[turn::3]:
            replace_text(path, form(group))
            written.append(path)
    return tuple(written)


def _long_csv(group: Sequence[Sequence[DrawnVote]]) -> str:
    rows = [
        (vote.face.face_id, vote.annotator, vote.label, f"{vote.confidence:.2f}", vote.created_at)
        for votes in group
        for vote in votes
        if vote.label
    ]
    return _csv_text([("face_id", "annotator", "label", "confidence", "created_at"), *rows])


def _wide_csv(group: Sequence[Sequence[DrawnVote]]) -> str:
    header = ("image", *(votes[0].annotator for votes in group if votes))
    rows = [(same_face[0].face.path, *(vote.label for vote in same_face)) for same_face in zip(*group, strict=True)]
    return _csv_text([header, *rows])


def _label_studio(group: Sequence[Sequence[DrawnVote]]) -> str:
    tasks = []
    for number, same_face in enumerate(zip(*group, strict=True), start=1):
        face = same_face[0].face
        annotations = [
            _annotation(len(group) * number + place, place + 1, vote) for place, vote in enumerate(same_face)
        ]
        data = {"image": f"/data/local-files/?d={face.path}", "face_id": face.face_id}
        tasks.append({"id": number, "data": data, "annotations": annotations, "predictions": []})
    return json.dumps(tasks, indent=1) + "\n"


def _annotation(number: int, annotator: int, vote: DrawnVote) -> dict[str, object]:
    choice = {
        "from_name": "emotion",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": [vote.label]},
    }
    return {
        "id": number,
        "completed_by": {"id": annotator, "email": f"{vote.annotator}@example.org"},
        "was_cancelled": not vote.label,
        "ground_truth": False,
        "created_at": vote.created_at,
        "result": [choice] if vote.label else [],
    }


def _csv_text(rows: Sequence[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
