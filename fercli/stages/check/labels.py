"""`fer check labels`: find labels and votes that no longer fit together."""

from dataclasses import dataclass

from fercli.core.results import StageResult
from fercli.core.settings import setting
from fercli.core.stage import Stage


@dataclass(frozen=True)
class CheckLabelsSettings:
    """What agreement is asked for, and what is done about labels that do not fit."""

    minimum: float | None = setting(
        None, "Fail if Krippendorff's alpha is below this.", option="fail-under", aliases=("min",)
    )
    fix: bool = setting(False, "Recompute labels and remove those of deleted faces.")


@dataclass(frozen=True, kw_only=True)
class CheckLabelsResult(StageResult):
    """How labels, votes and faces fit together.

    Attributes:
        num_labels: rows of labels.csv.
        num_votes: rows of votes.csv.
        num_foreign_labels: labels that are no class of the project any more.
        num_foreign_votes: the same for votes.
        num_without_face: labels of faces that are not usable any more.
        num_outdated: labels that are not what the votes say by the rule of the last vote.
        krippendorff: Krippendorff's alpha of the votes.
        num_fixed: labels that were decided again or taken away.
    """

    num_labels: int = 0
    num_votes: int = 0
    num_foreign_labels: int = 0
    num_foreign_votes: int = 0
    num_without_face: int = 0
    num_outdated: int = 0
    krippendorff: float | None = None
    num_fixed: int = 0


check_labels = Stage(
    words="check labels",
    settings=CheckLabelsSettings,
    result=CheckLabelsResult,
    work="fercli.stages.check.labels_work",
    is_whole=True,
    writes=lambda settings: settings.fix,
    remakes=True,
)
