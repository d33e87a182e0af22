"""What a set of labels and the votes behind them look like: counts, ties, minorities, classes that vanish."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fercli.core.rows import Label, Vote
from fercli.core.words import counted
from fercli.labels.aggregate import is_open
from fercli.labels.pseudonyms import ADJUDICATOR


@dataclass(frozen=True)
class ClassTally:
    """One class: faces that got it, votes for it, and how many of these were outvoted or left without a label."""

    label: str
    num_faces: int
    num_votes: int
    num_outvoted: int
    num_open: int


@dataclass(frozen=True)
class LabelSummary:
    """A set of labels in numbers.

    Args:
        num_faces: faces with votes (or a given label).
        num_labelled: of these with a label.
        by_status: faces by status.
        classes: in the project's order.
        num_dissenting: labelled faces on which somebody voted for another class.
        mean_agreement: mean share of the winner over labelled faces; None without votes.
    """

    num_faces: int
    num_labelled: int
    by_status: dict[str, int]
    classes: list[ClassTally]
    num_dissenting: int
    mean_agreement: float | None

    @property
    def warnings(self) -> list[str]:
        """A sentence for each class that has votes or a place in the set, but no face."""
        return [sentence for tally in self.classes if (sentence := _vanished(tally, self.num_labelled))]


def summarise_labels(labels: Sequence[Label], votes: Sequence[Vote], classes: Sequence[str]) -> LabelSummary:
    """Count faces, votes and lost votes by class and status."""
    decided = {label.face_id: label for label in labels}
    outvoted, undecided, given = Counter[str](), Counter[str](), Counter[str]()
    dissent = set()
    for vote in votes:
        label = decided.get(vote.face_id)
        if vote.annotator == ADJUDICATOR:
            continue
        given[vote.label] += 1
        if label is None or is_open(label):
            undecided[vote.label] += 1
        elif label.label and label.label != vote.label:
            outvoted[vote.label] += 1
            dissent.add(vote.face_id)
    won = Counter(label.label for label in labels if label.label)
    tallies = [ClassTally(name, won[name], given[name], outvoted[name], undecided[name]) for name in classes]
    shares = [label.agreement for label in labels if label.label and label.agreement is not None]
    statuses = Counter(label.status for label in labels)
    mean = sum(shares) / len(shares) if shares else None
    by_status = {str(status): count for status, count in sorted(statuses.items())}
    return LabelSummary(len(labels), won.total(), by_status, tallies, len(dissent), mean)


def _vanished(tally: ClassTally, num_labelled: int) -> str:
    if tally.num_faces or not num_labelled:
        return ""
    if not tally.num_votes:
        return f"class '{tally.label}' has no votes and no faces"
    return (
        f"class '{tally.label}' has {counted(tally.num_votes, 'vote')} but no labelled face "
        f"({tally.num_outvoted} outvoted, {tally.num_open} on faces without a majority)"
    )
