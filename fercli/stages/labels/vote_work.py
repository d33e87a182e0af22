"""The work of `fer labels vote`, and what every command that labels shares: the rule, its counts and its warnings."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fercli.core.commit import Commit
from fercli.core.errors import UsageError
from fercli.core.files import input_digest
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Label, Vote
from fercli.core.splits import is_usable
from fercli.core.stage import Plan
from fercli.core.tables import table_text
from fercli.core.words import counted
from fercli.labels.aggregate import aggregate_votes
from fercli.labels.summary import summarise_labels
from fercli.stages.labels.vote import LabelsVoteResult, LabelsVoteSettings, rule_words

# These decide each face by its own votes; the others look at all votes at once.
LOCAL_METHODS = ("majority", "ferplus")


@dataclass(frozen=True, kw_only=True)
class VotePlan(Plan):
    """All labels after voting, and how they count."""

    labels: Sequence[Label]
    result: LabelsVoteResult


def plan(project: Project, settings: LabelsVoteSettings, *, force: bool, progress: Progress) -> VotePlan:
    """Decide all labels again from votes.csv; labels that came with a dataset stay where there are no votes.

    Raises:
        MissingStageError: no votes have been imported.
        CheckError: `tie` is "error", and some faces have no majority.
        UsageError: a setting that the method has no use for.
    """
    _check_useful(settings)
    votes = project.required_rows(Vote)
    labels = relabel(project, votes, settings)
    before = {label.face_id: label.label for label in project.rows(Label)}
    num_changed = sum(before.get(label.face_id) != label.label for label in labels)
    counts = label_counts(project, labels, votes, settings)
    warnings = counts.pop("warnings")
    result = LabelsVoteResult(
        **counts,
        num_changed=num_changed,
        outputs=(project.relative(project.table_path(Label)),),
        warnings=warnings,
    )
    # `fer labels import` has decided by the same rule, as a rule.
    is_unchanged = not force and _is_written(project, labels)
    return VotePlan(
        lines=(f"write {counted(len(labels), 'label')} by {rule_words(settings)}, {num_changed:,} of them changed",),
        counts=counts | {"num_changed": num_changed},
        known=replace(result, is_unchanged=True) if is_unchanged else None,
        labels=labels,
        result=result,
    )


def run(
    project: Project, settings: LabelsVoteSettings, plan: VotePlan, commit: Commit, *, progress: Progress
) -> LabelsVoteResult:
    """Write the labels."""
    commit.table(plan.labels, Label)
    return plan.result


def _check_useful(settings: LabelsVoteSettings) -> None:
    """Refuse what would be passed over: FERPlus' rule knows neither ties nor another share than one half."""
    default = LabelsVoteSettings()
    ignored = [name for name in ("tie", "min_agreement") if getattr(settings, name) != getattr(default, name)]
    if settings.method == "ferplus" and ignored:
        raise UsageError(
            f"--method ferplus has no use for --{ignored[0].replace('_', '-')}",
            hint="Its rule calls a face without majority unknown. Leave the option out, or use --method majority.",
        )


def _is_written(project: Project, labels: Sequence[Label]) -> bool:
    text = table_text(labels, Label, project.classes)
    return input_digest(project.table_path(Label)) == hashlib.sha256(text.encode("utf-8")).hexdigest()


def relabel(
    project: Project, votes: Sequence[Vote], settings: LabelsVoteSettings, *, only: set[str] | None = None
) -> list[Label]:
    """All labels of the project after voting; those of faces without votes stay as they are.

    Args:
        project: has the labels until now.
        votes: all votes.
        settings: the rule.
        only: decide these faces alone, where the rule looks at each face by itself.
    """
    if only is not None and settings.method in LOCAL_METHODS:
        asked = [vote for vote in votes if vote.face_id in only]
    else:
        asked = list(votes)
    decided = {vote.face_id for vote in asked} | (only or set())
    new = aggregate_votes(
        asked,
        project.classes,
        method=settings.method,
        min_votes=settings.min_votes,
        min_agreement=settings.min_agreement,
        tie=settings.tie,
    )
    kept = [label for label in project.rows(Label) if label.face_id not in decided]
    return sorted([*kept, *new], key=lambda label: label.face_id)


def label_counts(
    project: Project, labels: Sequence[Label], votes: Sequence[Vote], settings: LabelsVoteSettings
) -> dict[str, Any]:  # the fields of LabelCounts
    """The counts of `labels` and their warnings, as fields of a LabelCounts."""
    summary = summarise_labels(labels, votes, project.classes)
    return {
        "rule": _rules_in_use(labels, settings),
        "num_faces": summary.num_faces,
        "num_labelled": summary.num_labelled,
        "by_status": summary.by_status,
        "classes": {tally.label: tally.num_faces for tally in summary.classes},
        "num_dissenting": summary.num_dissenting,
        "outvoted": {tally.label: tally.num_outvoted for tally in summary.classes if tally.num_outvoted},
        "mean_agreement": summary.mean_agreement,
        "warnings": (
            *_given_warning(project.rows(Label), labels),
            *_open_warning(labels),
            *(_sentence(warning) for warning in summary.warnings),
        ),
    }


def _rules_in_use(labels: Sequence[Label], settings: LabelsVoteSettings) -> str:
    """The rule of the labels; several, or that of a dataset, are only named."""
    rules = sorted({label.rule.removesuffix("+soft") for label in labels if label.status != "given"})
    if labels and not rules:
        return "the labels came with the dataset"
    return rule_words(settings) if rules in ([], [settings.method]) else ", ".join(rules)


def _given_warning(before: Sequence[Label], labels: Sequence[Label]) -> tuple[str, ...]:
    """What votes do to labels that came with a dataset: they take their place, also where they decide nothing."""
    given = {label.face_id: label.label for label in before if label.status == "given"}
    voted = [label for label in labels if label.face_id in given and label.status != "given"]
    num_lost = sum(not is_usable(label) for label in voted)
    num_other = sum(is_usable(label) and label.label != given[label.face_id] for label in voted)
    if not (num_lost or num_other):
        return ()
    return (
        f"Votes replace the dataset's own label on {counted(len(voted), 'face')} (left without a label: {num_lost:,}; "
        f"with another one: {num_other:,}). To take them back: fer labels remove.",
    )


def _open_warning(labels: Sequence[Label]) -> tuple[str, ...]:
    counts = Counter(label.status for label in labels)
    num_open = counts["tie"] + counts["no_majority"]
    if not num_open:
        return ()
    return (
        f"{num_open:,} of {counted(len(labels), 'face has', 'faces have')} no majority label "
        f"({counted(counts['tie'], 'tie')}). "
        "Resolve them with an adjudicator: fer labels export --to csv --only ties.",
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
