"""Write faces as the files that an annotation tool reads, with votes where there are some."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import numpy as np

from fercli.core.rows import Vote
from fercli.labels.matching import blind_code, flat_name
from fercli.labels.pseudonyms import ADJUDICATOR


@dataclass(frozen=True, slots=True)
class Sheet:
    """One annotator's work: the items in the order in which they are shown.

    Args:
        items: file name of the picture (without suffix) and the face it shows.
        is_blind: the names tell neither face nor repetition, so face ids must not stand beside them.
    """

    items: tuple[tuple[str, str], ...]
    is_blind: bool = False


@dataclass(frozen=True)
class Suggestions:
    """What a run predicts, with the probability, for some faces."""

    run_id: str
    best: Mapping[str, tuple[str, float]]


def make_sheets(
    face_ids: Sequence[str], *, num_sheets: int, blind_share: float, rng: np.random.Generator
) -> list[Sheet]:
    """One sheet for each annotator, all with the same faces, each in an order of its own drawn by `rng`.

    In one order for all, early faces would be judged by fresh and late ones by tired eyes, and neighbours alike. With a
    `blind_share` that part of the faces is shown to everybody twice, and the names are codes.
    """
    items = [(flat_name(face_id), face_id) for face_id in face_ids]
    if blind_share > 0:
        num_twice = max(1, round(blind_share * len(face_ids)))
        twice = rng.choice(len(face_ids), size=min(num_twice, len(face_ids)), replace=False)
        items = [(blind_code(face_id, 1), face_id) for face_id in face_ids]
        items += [(blind_code(face_ids[place], 2), face_ids[place]) for place in sorted(twice.tolist())]
    orders = [rng.permutation(len(items)) for _ in range(num_sheets)]
    return [Sheet(tuple(items[place] for place in order), blind_share > 0) for order in orders]


def tallies(votes: Iterable[Vote]) -> dict[str, Counter[str]]:
    """How often each label was given to each face; the adjudicator's word is none of the votes."""
    counts: dict[str, Counter[str]] = {}
    for vote in votes:
        if vote.annotator != ADJUDICATOR:
            counts.setdefault(vote.face_id, Counter())[vote.label] += 1
    return counts


def csv_sheet(
    sheet: Sheet, *, annotator: str = "", votes: Sequence[Vote] = (), remarks: Mapping[str, str] | None = None
) -> str:
    """A long CSV to fill in: image, annotator and an empty label; votes already given stand in their own lines.

    Args:
        sheet: what to show.
        annotator: written into every empty line; a sheet of one person needs it only once.
        votes: earlier votes, exactly as they are kept.
        remarks: text for each face, in a column of its own that is not read back.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ["image"] if sheet.is_blind else ["face_id", "image"]
    writer.writerow([*names, "annotator", "label", "confidence", "created_at", *(["remark"] if remarks else [])])
    given = _by_face(votes)
    for name, face_id in sheet.items:
        ids = [f"images/{name}.png"] if sheet.is_blind else [face_id, f"images/{name}.png"]
        for vote in given.get(face_id, ()):
            confidence = "" if vote.confidence is None else repr(vote.confidence)
            writer.writerow([*ids, vote.annotator, vote.label, confidence, vote.created_at])
        if face_id not in given:
            remark = [remarks.get(face_id, "")] if remarks else []
            writer.writerow([*ids, annotator, "", "", "", *remark])
    return out.getvalue()


def label_studio_tasks(
    sheet: Sheet, *, folder: str = "images", votes: Sequence[Vote] = (), suggestions: Suggestions | None = None
) -> str:
    """Label Studio's JSON tasks; pictures are served as local files from `folder`.

    Votes become annotations, suggestions predictions: shown to the annotator, and no votes until submitted.
    """
    given = _by_face(votes)
    tasks = []
    for number, (name, face_id) in enumerate(sheet.items, start=1):
        data = {"image": f"/data/local-files/?d={folder}/{name}.png"}
        if not sheet.is_blind:
            data["face_id"] = face_id
        annotations = [_annotation(vote) for vote in given.get(face_id, ())]
        task: dict[str, object] = {"id": number, "data": data} | ({"annotations": annotations} if annotations else {})
        if suggestions and face_id in suggestions.best:
            label, probability = suggestions.best[face_id]
            entry = {"model_version": suggestions.run_id, "score": round(probability, 4), "result": [_choice(label)]}
            task["predictions"] = [entry]
        tasks.append(task)
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def label_studio_config(classes: Sequence[str]) -> str:
    """Label Studio's labelling config: the picture and one choice, a key on the keyboard for each class."""
    keys = "123456789qwertzuiop"
    lines = ["<View>", '  <Image name="image" value="$image" zoom="true"/>']
    lines.append('  <Choices name="emotion" toName="image" choice="single" showInLine="true" required="true">')
    for place, name in enumerate((*classes, "unknown")):
        hotkey = f" hotkey={quoteattr('0' if name == 'unknown' else keys[place])}" if place < len(keys) else ""
        lines.append(f"    <Choice value={quoteattr(name)}{hotkey}/>")
    return "\n".join([*lines, "  </Choices>", "</View>", ""])


def cvat_labels(classes: Sequence[str]) -> str:
    """CVAT's labels in the raw form of its label constructor: one tag a class, and `unknown`."""
    labels = [{"name": name, "type": "tag", "attributes": []} for name in (*classes, "unknown")]
    return json.dumps(labels, ensure_ascii=False, indent=1) + "\n"


def cvat_annotations(sheet: Sheet, votes: Sequence[Vote], *, annotator: str, size: tuple[int, int]) -> str:
    """One annotator's votes as "CVAT for images 1.1"; CVAT knows neither confidence nor time of a tag."""
    label_of = {vote.face_id: vote.label for vote in votes if vote.annotator == annotator}
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>", "  <meta><job>"]
    lines.append(f"    <assignee><username>{_escaped(annotator)}</username></assignee>")
    lines.append("  </job></meta>")
    for place, (name, face_id) in enumerate(sheet.items):
        head = f'  <image id="{place}" name={quoteattr(name + ".png")} width="{size[0]}" height="{size[1]}"'
        label = label_of.get(face_id)
        tag = f'<tag label={quoteattr(label)} source="manual"></tag>' if label else ""
        lines.append(f"{head}>{tag}</image>")
    return "\n".join([*lines, "</annotations>", ""])


def _annotation(vote: Vote) -> dict[str, object]:
    # An e-mail, because Label Studio's ids are its own.
    return {"completed_by": {"email": vote.annotator}, "created_at": vote.created_at, "result": [_choice(vote.label)]}


def _choice(label: str) -> dict[str, object]:
    return {"type": "choices", "from_name": "emotion", "to_name": "image", "value": {"choices": [label]}}


def _by_face(votes: Sequence[Vote]) -> Mapping[str, list[Vote]]:
    found: dict[str, list[Vote]] = {}
    for vote in votes:
        found.setdefault(vote.face_id, []).append(vote)
    return found


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
