"""What `fer demo` can be set to, and what it tells."""

from dataclasses import dataclass
from typing import Any

from fercli.core.results import StageResult
from fercli.core.settings import setting

# Beside the project's own folders; nothing in fercli but the demo's last table reads the truth.
MATERIAL = "demo"


@dataclass(frozen=True, slots=True)
class Material:
    """What is drawn; everything follows from these numbers."""

    seed: int
    num_subjects: int
    seconds: float
    fps: int
    num_annotators: int


@dataclass(frozen=True)
class DemoSettings:
    """How large the drawn class is, and how far the demo goes."""

    subjects: int = setting(72, "Set the number of simulated pupils (up to 12 per lesson).", minimum=1)
    seconds: float = setting(45.0, "Set the length of each lesson.", unit="s", minimum=1)
    annotators: int = setting(5, "Set the number of simulated annotators.", minimum=1)
    seed: int = setting(0, "Set the random seed.", minimum=0)
    keep_going: bool = setting(False, "Continue even if a result falls below its threshold.")
    annotate: bool = setting(False, "Only find the faces, then open the labelling page.")
    full: bool = setting(False, "Also train sfer-mdfae for two epochs.")
    workers: int | None = setting(None, "Render this many lessons in parallel (default: one per core).", minimum=1)


@dataclass(frozen=True, kw_only=True)
class DemoResult(StageResult):
    """Every stage beside the truth; a figure is None when the demo ended before it.

    Attributes:
        root: the project's folder.
        align_recall: share of the drawn faces in the kept frames that align found.
        align_precision: share of the found faces that were drawn.
        subject_purity: share of the faces assigned to the right pupil (purity).
        vote_accuracy: share of the majority labels that match the ground truth.
        model_accuracy: share of true predictions on held-out subjects, with the ends of its interval.
        majority_rate: what calling every held-out face by the most frequent emotion would reach.
        num_subjects: held-out subjects of the model's figures.
        report: the page that shows it all.
        rows: one for each stage: stage, what was made, figure, value, bound, seconds.
    """

    root: str
    align_recall: float | None = None
    align_precision: float | None = None
    subject_purity: float | None = None
    vote_accuracy: float | None = None
    model_accuracy: float | None = None
    model_accuracy_low: float | None = None
    model_accuracy_high: float | None = None
    majority_rate: float | None = None
    num_subjects: int = 0
    run: str = ""
    report: str = ""
    rows: tuple[dict[str, Any], ...] = ()
