"""Faces that people have voted on and that a run of `fer align` would lose: known before it looks, as far as can be."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from fercli.core.errors import CheckError
from fercli.core.project import Project
from fercli.core.rows import Face, Vote
from fercli.core.words import counted
from fercli.vision.cutting import CuttingRules, drop_reason
from fercli.vision.detection import Detection

MOST_NAMED = 10
# A search for other sizes finds a face again a little larger or surer; what is as near to a bound as this is left open.
_CONFIDENCE, _SIZE, _ROLL_DEG, _YAW = 0.02, 0.95, 2.0, 0.05


def voted_of(project: Project, faces: Iterable[Face]) -> list[str]:
    """Those of the faces that have votes."""
    faces = list(faces)
    voted = {vote.face_id for vote in project.rows(Vote)} if faces else set()
    return sorted(face.face_id for face in faces if face.face_id in voted)


def sure_to_go(
    faces: Iterable[Face], rules: CuttingRules, *, kept: Collection[str], todo: Collection[str]
) -> list[Face]:
    """Usable faces whose frame is gone, or that the rules leave out by what is known of them.

    Args:
        faces: of the last run.
        rules: of the run to come.
        kept: frames of the project.
        todo: frames that are to be done again.
    """
    cut = [face for face in faces if face.status == "ok" and face.frame_id]
    gone = [face for face in cut if face.frame_id not in kept]
    again: dict[str, list[Face]] = defaultdict(list)
    for face in cut:
        if face.frame_id in kept and face.frame_id in todo:
            again[face.frame_id].append(face)
    loose = _loosened(rules)
    for there in again.values():
        passing = [face for face in there if drop_reason(_detection(face), (np.inf, np.inf), loose) is None]
        passing.sort(key=lambda face: -(face.width or 0.0) * (face.height or 0.0))
        kept_ids = {face.face_id for face in passing[: rules.max_faces]}
        gone += [face for face in there if face.face_id not in kept_ids]
    return gone


def refusal(lost: list[str]) -> CheckError:
    """The error of a run that would lose these faces."""
    named = ", ".join(lost[:MOST_NAMED]) + (", ..." if len(lost) > MOST_NAMED else "")
    return CheckError(
        f"{counted(len(lost), 'face')} with votes would be lost with these settings: {named}",
        hint="Nothing was changed. Use the last settings, or give --force to lose them (their votes stay).",
    )


def _loosened(rules: CuttingRules) -> CuttingRules:
    return replace(
        rules,
        min_confidence=rules.min_confidence - _CONFIDENCE,
        min_face_px=int(rules.min_face_px * _SIZE),
        max_roll_deg=None if rules.max_roll_deg is None else rules.max_roll_deg + _ROLL_DEG,
        max_yaw=None if rules.max_yaw is None else rules.max_yaw + _YAW,
        template="none",  # the eyes of a face that was cut were apart enough
    )


def _detection(face: Face) -> Detection:
    landmarks = np.array(face.landmarks if face.landmarks else np.zeros((5, 2)))
    box = (face.left or 0.0, face.top or 0.0, face.width or 0.0, face.height or 0.0)
    return Detection(*box, 1.0 if face.confidence is None else face.confidence, landmarks)
