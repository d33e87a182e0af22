"""The work of `fer labels show`: counts of votes and labels, and their figures."""

from collections import Counter
from collections.abc import Mapping

from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Label, Vote
from fercli.core.splits import stale_splits
from fercli.labels.agreement import measure_agreement
from fercli.labels.annotators import human_ceiling
from fercli.reports.figures.scores import draw_class_counts
from fercli.stages.labels.agreement import LabelsAgreementSettings, labels_agreement
from fercli.stages.labels.archive import read_imports
from fercli.stages.labels.show import LabelsShowResult, LabelsShowSettings
from fercli.stages.labels.vote import vote_settings
from fercli.stages.labels.vote_work import label_counts
from fercli.stages.next_steps import after_labels

_OUTCOMES = "reports/labels-outcomes.png"


def call(
    project: Project, settings: LabelsShowSettings, *, progress: Progress, force: bool, dry_run: bool
) -> LabelsShowResult:
    """Count faces, votes and labels; nothing is written but the figures that `plot` asks for.

    Raises:
        MissingStageError: the project has no faces yet.
    """
    faces = {face.face_id for face in project.required_rows(Face) if face.is_usable}
    votes, labels = project.rows(Vote), project.rows(Label)
    agreement = measure_agreement(votes, project.classes)
    counts = label_counts(project, labels, votes, vote_settings(project))
    num_without = len(faces - {label.face_id for label in labels})
    return LabelsShowResult(
        **counts | {"warnings": (*counts["warnings"], *stale_splits(project, labels))},
        num_usable_faces=len(faces),
        num_without_votes=num_without,
        num_votes=len(votes),
        annotators=dict(sorted(Counter(vote.annotator for vote in votes).items())),
        num_imports=sum(not entry.removed_at for entry in read_imports(project)),
        krippendorff=agreement.krippendorff.value,
        percent=agreement.percent.value,
        ceiling=human_ceiling(votes, project.classes),
        kappa_by_class=agreement.fleiss_by_class if votes else {},
        next_command=after_labels(project, labels) if faces else "",
        outputs=_draw(project, {**counts["by_status"], "no votes": num_without}, votes)
        if settings.plot and not dry_run
        else (),
    )


def _draw(project: Project, outcomes: Mapping[str, int], votes: list[Vote]) -> tuple[str, ...]:
    """Vote outcomes, and where there are any how far the annotators agree."""
    words = {"ok": "labelled", "given": "provided", "no_majority": "no majority", "too_few": "too few votes"}
    shown = {words.get(name, name): number for name, number in outcomes.items() if number}
    with project.commit() as commit:
        commit.data(project.root / _OUTCOMES, draw_class_counts({"faces": shown}, list(shown)))
    agreement = labels_agreement(project, LabelsAgreementSettings(plot=True)).outputs if votes else ()
    return (*agreement, _OUTCOMES)
