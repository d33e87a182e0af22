"""`fer labels`: where the labels of a project stand."""

from collections import Counter
from dataclasses import dataclass, field

from fercli.core.project import Project
from fercli.core.rows import Face, Label, Vote
from fercli.stages.labels_archive import read_imports
from fercli.stages.labels_vote import LabelCounts, label_counts, next_command, stale_warnings, vote_settings


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
    """

    num_usable_faces: int = 0
    num_without_votes: int = 0
    num_votes: int = 0
    annotators: dict[str, int] = field(default_factory=dict)
    num_imports: int = 0
    krippendorff: float | None = None
    percent: float | None = None
    ceiling: float | None = None


def labels_show(project: Project) -> LabelsShowResult:
    """Count faces, votes and labels; nothing is written.

    Raises:
        MissingStageError: the project has no faces yet.
    """
    from fercli.labels.agreement import measure_agreement
    from fercli.labels.annotators import human_ceiling

    faces = {face.face_id for face in project.required_rows(Face) if face.status in ("ok", "given")}
    votes, labels = project.rows(Vote), project.rows(Label)
    agreement = measure_agreement(votes, project.classes)
    counts = label_counts(project, labels, votes, vote_settings(project))
    return LabelsShowResult(
        **counts | {"warnings": (*counts["warnings"], *stale_warnings(project, labels))},
        num_usable_faces=len(faces),
        num_without_votes=len(faces - {label.face_id for label in labels}),
        num_votes=len(votes),
        annotators=dict(sorted(Counter(vote.annotator for vote in votes).items())),
        num_imports=len(read_imports(project)),
        krippendorff=agreement.krippendorff.value,
        percent=agreement.percent.value,
        ceiling=human_ceiling(votes, project.classes),
        next_command=next_command(labels),
    )
