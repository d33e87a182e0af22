"""Merge the faces of a new run of `fer align` with those of the last one, so that no face loses its id."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fercli.core.rows import Face
from fercli.stages.align.plan import AlignPlan

Record = Mapping[str, Any]  # what `align_worker` returns


@dataclass(frozen=True)
class MergedFaces:
    """The rows of the new table, and which faces one could use before and cannot any more."""

    rows: tuple[Face, ...]
    vanished: tuple[Face, ...]


def merge_faces(plan: AlignPlan, records: Mapping[str, Record]) -> MergedFaces:
    """Lay the records of the pictures that were done over the rows of the last run.

    A face that is not found again keeps its row with status `gone`; so does one whose frame is kept no longer. A
    picture that failed keeps the rows it had.
    """
    new = {item: [Face(**face) for face in record["faces"]] for item, record in records.items() if "faces" in record}
    old: dict[str, list[Face]] = defaultdict(list)
    for face in plan.faces:
        old[face.frame_id or face.face_id].append(face)
    rows: list[Face] = []
    for item in sorted({*old, *new}):
        rows += _merge_picture(item, old[item], new.get(item), plan)
    usable = {face.face_id for face in rows if face.is_usable}
    vanished = [face for face in plan.faces if face.is_usable and face.face_id not in usable]
    return MergedFaces(tuple(rows), tuple(vanished))


def _merge_picture(item: str, old: list[Face], new: list[Face] | None, plan: AlignPlan) -> list[Face]:
    if new is None:
        is_left_out = bool(old) and bool(old[0].frame_id) and item not in plan.frames
        return [_gone(face, "its frame is kept no longer") for face in old] if is_left_out else old
    before = {face.face_id: face for face in old}
    found = {face.face_id: _with_subject(face, before.get(face.face_id)) for face in new}
    lost = [face for face in old if face.face_id not in found]
    return [*found.values(), *(face if face.status == "given" else _gone(face, "not found again") for face in lost)]


def _with_subject(face: Face, before: Face | None) -> Face:
    return replace(face, track_id=before.track_id, subject_id=before.subject_id) if before else face


def _gone(face: Face, reason: str) -> Face:
    return face if face.status == "gone" else replace(face, status="gone", reason=reason, path="")
