"""`fer labels`: where the labels of a project stand, as numbers and as pictures."""

from dataclasses import dataclass, field

from fercli.core.settings import setting
from fercli.core.stage import Stage
from fercli.stages.labels.vote import LabelCounts
from fercli.stages.labels.waiting import bring_in

_OUTCOMES = "reports/labels-outcomes.png"


@dataclass(frozen=True)
class LabelsShowSettings:
    """What is shown."""

    plot: bool = setting(False, "Save figures of vote outcomes and agreement to reports/.")


@dataclass(frozen=True, kw_only=True)
class LabelsShowResult(LabelCounts):
    """The state of votes and labels.

    Attributes:
        num_usable_faces: faces that can be judged.
        num_without_votes: of these, faces that have neither votes nor a label.
        num_votes: all votes.
        annotators: votes of each, by pseudonym.
        num_imports: files that votes came from, without those that were taken back.
        krippendorff: Krippendorff's alpha over all classes; None where nobody judged the same face.
        percent: share of pairs of votes that are alike.
        ceiling: share of votes that are the majority of the others.
        kappa_by_class: Fleiss' kappa of each class (one vs. rest); None where it is not defined.
    """

    num_usable_faces: int = 0
    num_without_votes: int = 0
    num_votes: int = 0
    annotators: dict[str, int] = field(default_factory=dict)
    num_imports: int = 0
    krippendorff: float | None = None
    percent: float | None = None
    ceiling: float | None = None
    kappa_by_class: dict[str, float | None] = field(default_factory=dict)


labels_show = Stage(
    words="labels show",
    settings=LabelsShowSettings,
    result=LabelsShowResult,
    work="fercli.stages.labels.show_work",
    before=bring_in,
    is_whole=True,
    writes=lambda settings: settings.plot,
)
