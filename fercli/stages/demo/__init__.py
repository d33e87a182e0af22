"""What `fer demo` can be set to, and what it tells."""

from dataclasses import dataclass
from typing import Any

from fercli.core.results import StageResult
from fercli.core.settings import setting


@dataclass(frozen=True)
class DemoSettings:
    """How large the drawn class is, and how far the demo goes."""

    subjects: int = setting(72, "Draw so many pupils, up to 12 in a lesson.", minimum=1)
    seconds: float = setting(45.0, "Let each lesson last so long.", unit="s", minimum=1)
    annotators: int = setting(5, "Let so many annotators vote.", minimum=1)
    seed: int = setting(0, "Draw everything from this seed.", minimum=0)
    keep_going: bool = setting(False, "Go on after a figure below its bound.")
    full: bool = setting(False, "Train sfer-mdfae for two epochs, too.")
    workers: int | None = setting(None, "Draw so many lessons at a time; one a core otherwise.", minimum=1)


@dataclass(frozen=True, kw_only=True)
class DemoResult(StageResult):
    """Every stage beside the truth; a figure is None when the demo ended before it.

    Attributes:
        root: the project's folder.
        align_recall: share of the drawn faces in the kept frames that align found.
        align_precision: share of the found faces that were drawn.
        subject_purity: share of the faces whose subject is the pupil that it mostly is.
        vote_accuracy: share of the voted labels that are true.
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
