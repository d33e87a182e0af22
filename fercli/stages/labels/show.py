"""`fer labels`: where the labels of a project stand, as numbers and as pictures."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from fercli.core.project import Project
from fercli.core.rows import Face, Label, Vote
from fercli.core.settings import setting
from fercli.stages.labels.archive import read_imports
from fercli.stages.labels.vote import LabelCounts, label_counts, next_command, stale_warnings, vote_settings

_OUTCOMES = "reports/labels-outcomes.png"


@dataclass(frozen=True)
class LabelsShowSettings:
    """What is shown."""

    plot: bool = setting(False, "Draw outcomes of the votes and agreement into reports/.")


@dataclass(frozen=True, kw_only=True)
class LabelsShowResult(LabelCounts):
    """The state of votes and labels.

    Attributes:
        num_usable_faces: faces that can be judged.
        num_without_votes: of these, faces that have neither votes nor a label.
        num_votes: all votes.
        annotators: votes of each, by pseudonym.
        num_imports: files that votes came from.
        krippendorff: Krippendorff's alpha over all classes; None where nobody judged the same face.
        percent: share of pairs of votes that are alike.
        ceiling: share of votes that are the majority of the others.
        kappa_by_class: Fleiss' kappa of each class against all others; None where it is not defined.
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


def labels_show(project: Project, settings: LabelsShowSettings = LabelsShowSettings()) -> LabelsShowResult:
    """Count faces, votes and labels; nothing is written but the figures that `plot` asks for.

    Raises:
        MissingStageError: the project has no faces yet.
    """
    from fercli.labels.agreement import measure_agreement
    from fercli.labels.annotators import human_ceiling

    faces = {face.face_id for face in project.required_rows(Face) if face.status in ("ok", "given")}
    votes, labels = project.rows(Vote), project.rows(Label)
    agreement = measure_agreement(votes, project.classes)
    counts = label_counts(project, labels, votes, vote_settings(project))
    num_without = len(faces - {label.face_id for label in labels})
    return LabelsShowResult(
        **counts | {"warnings": (*counts["warnings"], *stale_warnings(project, labels))},
        num_usable_faces=len(faces),
        num_without_votes=num_without,
        num_votes=len(votes),
        annotators=dict(sorted(Counter(vote.annotator for vote in votes).items())),
        num_imports=len(read_imports(project)),
        krippendorff=agreement.krippendorff.value,
        percent=agreement.percent.value,
        ceiling=human_ceiling(votes, project.classes),
        kappa_by_class=agreement.fleiss_by_class if votes else {},
        next_command=next_command(project, labels),
        outputs=_draw(project, {**counts["by_status"], "no votes": num_without}, votes) if settings.plot else (),
    )


def _draw(project: Project, outcomes: Mapping[str, int], votes: list[Vote]) -> tuple[str, ...]:
    """What became of the votes, and where there are any how far the annotators agree."""
    from fercli.core.files import replace_bytes
    from fercli.reports.figures.scores import draw_class_counts
    from fercli.stages.labels.agreement import LabelsAgreementSettings, labels_agreement

    words = {"ok": "labelled", "given": "came with the data", "no_majority": "no majority", "too_few": "too few votes"}
    shown = {words.get(name, name): number for name, number in outcomes.items() if number}
    replace_bytes(project.root / _OUTCOMES, draw_class_counts({"faces": shown}, list(shown)))
    agreement = labels_agreement(project, LabelsAgreementSettings(plot=True)).outputs if votes else ()
    return (*agreement, _OUTCOMES)
