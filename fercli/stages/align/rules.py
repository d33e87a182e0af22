"""What `fer align` was last told in a project, to faces of other pictures found and cut out alike."""

from dataclasses import replace

from fercli.core.project import Project
from fercli.stages.align import AlignSettings, told_rules
from fercli.vision.cutting import CuttingRules
from fercli.vision.mtcnn.detector import FaceDetector


def rules_of(settings: AlignSettings) -> CuttingRules:
    """The rules that the settings ask for."""
    return CuttingRules(
        min_confidence=settings.min_confidence,
        min_face_px=settings.min_face,
        max_faces=settings.max_faces,
        size=settings.size,
        margin=settings.margin,
        template=settings.template,
        max_roll_deg=settings.max_roll,
        max_yaw=settings.max_yaw,
        max_blur=settings.max_blur,
    )


def cutting_rules(project: Project) -> CuttingRules:
    """The rules by which the project's own faces were cut; the built-in ones where it has none."""
    return replace(CuttingRules(), **told_rules(project))


def make_detector(rules: CuttingRules, device: str = "auto", *, num_threads: int | None = None) -> FaceDetector:
    """A detector that hides nothing which `rules` would keep."""
    min_confidence = min(0.8, rules.min_confidence)
    return FaceDetector(
        min_face_px=rules.min_face_px, min_confidence=min_confidence, device=device, num_threads=num_threads
    )
