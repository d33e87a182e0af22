"""`fer labels agreement`: how well annotators agree, and what ceiling that sets for a model."""

from dataclasses import dataclass, field
from typing import Any, Literal

from fercli.core.results import StageResult
from fercli.core.settings import setting
from fercli.core.stage import Stage
from fercli.stages.labels.waiting import bring_in

Record = dict[str, Any]  # JSON values


@dataclass(frozen=True)
class LabelsAgreementSettings:
    """What is measured."""

    metric: Literal["fleiss", "krippendorff", "cohen", "ordinal", "all"] = setting(
        "all", "Report this agreement coefficient."
    )
    by: Literal["class", "annotator"] | None = setting(None, "Break the results down by class or annotator.")
    minimum: float | None = setting(
        None, "Fail if the coefficient is below this.", option="fail-under", aliases=("min",)
    )
    plot: bool = setting(False, "Save figures of pairwise and per-class agreement to reports/.")
    seed: int = setting(0, "Set the random seed of the bootstrap.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class LabelsAgreementResult(StageResult):
    """How well people agree.

    Attributes:
        num_faces: faces with two votes or more.
        num_votes: votes on them.
        unit: what is resampled for the 95 % intervals: subject, else video, else face.
        coefficients: by name (fleiss, krippendorff, cohen, percent): value, low, high, or why there is no interval;
            for classes with an order also kappa_linear, kappa_quadratic, alpha_ordinal, alpha_interval, icc1, icc2 and
            icc3.
        order: the classes that have an order, lowest first.
        ceiling: share of votes that are the majority of the others, in the same form.
        by_class: for each class kappa and alpha of the class (one vs. rest), and its ceiling.
        by_annotator: for each annotator votes, mean kappa with the others, share that is the majority of the others.
        pairs: each two annotators: faces that both judged, share alike, Cohen's kappa.
        is_anonymous: the votes are counts, so that annotators cannot be told apart.
        num_uncertain: votes left out, on faces that were shown because a model was uncertain of them.
        by_suggestion: Krippendorff's alpha of votes given before any suggestion was seen ("unaided") and of those given
            after one ("suggested"), with their numbers; empty where no suggestion was shown.
        self_agreement: for each annotator the faces that were shown twice, and the share that got the same label.
        has_equal_votes: every face has as many votes as any other, as Fleiss' kappa is defined.
    """

    num_faces: int = 0
    num_votes: int = 0
    unit: str = ""
    order: tuple[str, ...] = ()
    coefficients: dict[str, Record] = field(default_factory=dict)
    ceiling: Record = field(default_factory=dict)
    by_class: dict[str, Record] = field(default_factory=dict)
    by_annotator: dict[str, Record] = field(default_factory=dict)
    pairs: tuple[Record, ...] = ()
    is_anonymous: bool = False
    num_uncertain: int = 0
    by_suggestion: dict[str, Record] = field(default_factory=dict)
    self_agreement: dict[str, Record] = field(default_factory=dict)
    has_equal_votes: bool = True


labels_agreement = Stage(
    words="labels agreement",
    settings=LabelsAgreementSettings,
    result=LabelsAgreementResult,
    work="fercli.stages.labels.agreement_work",
    before=bring_in,
    is_whole=True,
    writes=lambda settings: settings.plot,
)
