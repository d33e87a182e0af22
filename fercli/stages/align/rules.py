"""What `fer align` was last told in a project, to faces of other pictures found and cut out alike."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fercli.core.memory import read_state
from fercli.core.project import Project

if TYPE_CHECKING:
    from fercli.vision.cutting import CuttingRules
    from fercli.vision.mtcnn.detector import FaceDetector

# Settings of align, and the rules that they are. Its bounds on tilt and the like choose faces to learn from.
_RULE_OF = {
    "size": "size",
    "margin": "margin",
    "template": "template",
    "min_confidence": "min_confidence",
    "min_face": "min_face_px",
}


def told_rules(project: Project) -> dict[str, Any]:  # JSON
    """What the rules follow from, without loading anything that cuts."""
    state = read_state(project.root, "align")
    known = state.settings if state else {}
    return {rule: known[name] for name, rule in _RULE_OF.items() if name in known}


def cutting_rules(project: Project) -> "CuttingRules":
    """The rules by which the project's own faces were cut; the built-in ones where it has none."""
    from fercli.vision.cutting import CuttingRules

    return replace(CuttingRules(), **told_rules(project))


def make_detector(rules: "CuttingRules", device: str = "auto", *, num_threads: int | None = None) -> "FaceDetector":
    """A detector that hides nothing which `rules` would keep."""
    from fercli.vision.mtcnn.detector import FaceDetector

    min_confidence = min(0.8, rules.min_confidence)
    return FaceDetector(
        min_face_px=rules.min_face_px, min_confidence=min_confidence, device=device, num_threads=num_threads
    )
