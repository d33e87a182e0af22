"""`fer labels vote`: the votes on each face to its label."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from fercli.core.memory import fingerprint, read_state, recall, remember
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Label, Vote
from fercli.core.settings import Layer, resolve_settings, setting
from fercli.core.tables import table_text

STAGE = "labels-vote"
# These decide each face by its own votes; the others look at all votes at once.
LOCAL_METHODS = ("majority", "ferplus")


@dataclass(frozen=True)
class LabelsVoteSettings:
    """How votes become a label."""

    method: Literal["majority", "ferplus", "weighted", "dawid-skene"] = setting("majority", "Decide by this rule.")
    min_votes: int = setting(2, "Give no label below this number of votes.", minimum=1)
    min_agreement: float = setting(0.5, "Ask for this share of the votes as well.", minimum=0, maximum=1)
    tie: Literal["unknown", "drop", "soft", "error"] = setting("unknown", "Do this with faces without a majority.")


@dataclass(frozen=True, kw_only=True)
class LabelCounts(StageResult):
    """What the labels of a project are.

    Attributes:
        rule: how they were decided.
        num_faces: faces with votes or a given label.
        num_labelled: of these with a label.
        by_status: faces by what became of their votes.
        classes: faces by label, in the project's order.
        num_dissenting: labelled faces on which somebody voted otherwise.
        outvoted: votes by class that lost against another label.
        mean_agreement: mean share of the winning votes.
    """

    rule: str = ""
    num_faces: int = 0
    num_labelled: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    num_dissenting: int = 0
    outvoted: dict[str, int] = field(default_factory=dict)
    mean_agreement: float | None = None


@dataclass(frozen=True, kw_only=True)
class LabelsVoteResult(LabelCounts):
    """What voting gave.

    Attributes:
        num_changed: faces that have another label than before.
    """

    num_changed: int = 0


def labels_vote(
    project: Project, settings: LabelsVoteSettings, *, force: bool = False, dry_run: bool = False
) -> LabelsVoteResult:
    """Decide all labels again from votes.csv; labels that came with a data set stay where there are no votes.

    Raises:
        MissingStageError: no votes have been imported.
        CheckError: `tie` is "error", and some faces have no majority.
    """
    project.require(Vote)
    mark = fingerprint(settings, [project.table_path(Vote)], project.classes)
    if not force and (known := recall(project.root, STAGE, mark, LabelsVoteResult)):
        return known
    votes = project.required_rows(Vote)
    labels = relabel(project, votes, settings)
    before = {label.face_id: label.label for label in project.rows(Label)}
    num_changed = sum(before.get(label.face_id) != label.label for label in labels)
    counts = label_counts(project, labels, votes, settings)
    # `fer labels import` has decided by the same rule, as a rule.
    is_unchanged = not force and _is_written(project, labels)
    if dry_run and not is_unchanged:
        plan = (f"write {len(labels)} labels by {rule_words(settings)}, {num_changed} of them changed",)
        return LabelsVoteResult(**counts, num_changed=num_changed, is_dry_run=True, plan=plan)
    warnings = (*counts.pop("warnings"), *stale_warnings(project, labels))
    result = LabelsVoteResult(
        **counts,
        num_changed=num_changed,
        outputs=(project.relative(project.table_path(Label)),),
        warnings=warnings,
        next_command=next_command(project, labels),
    )
    if not dry_run:
        with project.writing():
            is_current = mark == fingerprint(settings, [project.table_path(Vote)], project.classes)
            if is_current and not is_unchanged:
                project.write_rows(labels, Label)
            if is_current:
                remember(project.root, STAGE, mark, settings, result=result)
        if not is_current:  # votes came in meanwhile
            return labels_vote(project, settings, force=force)
    return replace(result, is_unchanged=is_unchanged)


def vote_settings(project: Project) -> LabelsVoteSettings:
    """The settings of the last `fer labels vote`, below what fer.toml says; for stages that label as well."""
    last = read_state(project.root, STAGE)
    layers = [Layer("the last fer labels vote", last.settings if last else {})]
    layers.append(Layer("fer.toml", project.section(STAGE)))
    return resolve_settings(LabelsVoteSettings, layers).settings


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
    from fercli.labels.aggregate import aggregate_votes

    if only is not None and settings.method in LOCAL_METHODS:
        asked = [vote for vote in votes if vote.face_id in only]
    else:
        asked = list(votes)
    decided = {vote.face_id for vote in asked}
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
    from fercli.labels.summary import summarise_labels

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
        "warnings": (*_open_warning(labels), *(_sentence(warning) for warning in summary.warnings)),
    }


def rule_words(settings: LabelsVoteSettings) -> str:
    """The rule in words."""
    return (
        f"{settings.method}, at least {settings.min_votes} votes, agreement {settings.min_agreement:g}, "
        f"ties {settings.tie}"
    )


def _rules_in_use(labels: Sequence[Label], settings: LabelsVoteSettings) -> str:
    """The rule of the labels; several, or that of a data set, are only named."""
    rules = sorted({label.rule.removesuffix("+soft") for label in labels if label.status != "given"})
    if labels and not rules:
        return "the labels came with the data set"
    return rule_words(settings) if rules in ([], [settings.method]) else ", ".join(rules)


def stale_warnings(project: Project, labels: Sequence[Label]) -> tuple[str, ...]:
    """A sentence for each split that was made before the labels became these."""
    from fercli.core.splits import stale_splits

    return stale_splits(project, labels)


def next_command(project: Project, labels: Iterable[Label]) -> str:
    """What a user does with these labels."""
    if not any(label.label for label in labels):
        return "fer labels export --to csv"
    has_official = project.split_path("official").exists() and not project.split_path("default").exists()
    return "fer train --split official" if has_official else "fer split"


def _is_written(project: Project, labels: Sequence[Label]) -> bool:
    path = project.table_path(Label)
    return path.exists() and path.read_bytes() == table_text(labels, Label, project.classes).encode("utf-8")


def _open_warning(labels: Sequence[Label]) -> tuple[str, ...]:
    counts = Counter(label.status for label in labels)
    num_open = counts["tie"] + counts["no_majority"]
    if not num_open:
        return ()
    return (
        f"{num_open} of {len(labels)} faces have no majority ({counts['tie']} ties); "
        "let one person decide them: fer labels export --to csv --only ties.",
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
