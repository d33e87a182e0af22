"""`fer labels vote`: aggregate the votes on each face into its label."""

from dataclasses import dataclass, field
from typing import Literal

from fercli.core.memory import read_state
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Label, Vote
from fercli.core.settings import Layer, resolve_settings, setting
from fercli.core.stage import Inputs, Stage
from fercli.core.words import counted
from fercli.stages.labels.waiting import bring_in
from fercli.stages.next_steps import with_what_follows

STAGE = "labels-vote"


@dataclass(frozen=True)
class LabelsVoteSettings:
    """How votes become a label."""

    method: Literal["majority", "ferplus", "weighted", "dawid-skene"] = setting(
        "majority", "Aggregate votes with this method."
    )
    min_votes: int = setting(2, "Require at least this many votes per label.", minimum=1)
    min_agreement: float = setting(0.5, "Require at least this fraction of the votes to agree.", minimum=0, maximum=1)
    tie: Literal["unknown", "drop", "soft", "error"] = setting(
        "unknown", "Set how faces without a majority are handled."
    )


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


def vote_settings(project: Project) -> LabelsVoteSettings:
    """The settings of the last `fer labels vote`, below what fer.toml says; for stages that label as well."""
    last = read_state(project.root, STAGE)
    layers = [Layer("the last fer labels vote", last.settings if last else {})]
    layers.append(Layer("fer.toml", project.section(STAGE)))
    return resolve_settings(LabelsVoteSettings, layers).settings


def rule_words(settings: LabelsVoteSettings) -> str:
    """The rule in words."""
    return (
        f"{settings.method}, at least {counted(settings.min_votes, 'vote')}, agreement {settings.min_agreement:g}, "
        f"ties {settings.tie}"
    )


def _came_with_labels(project: Project) -> str:
    has_votes, has_labels = (project.has(project.table_path(row_type)) for row_type in (Vote, Label))
    return "the labels were provided by the dataset" if has_labels and not has_votes else ""


labels_vote = Stage(
    words="labels vote",
    settings=LabelsVoteSettings,
    result=LabelsVoteResult,
    work="fercli.stages.labels.vote_work",
    before=bring_in,
    inputs=lambda project, settings: Inputs([project.table_path(Vote)], project.classes),
    now=lambda project, settings, result: with_what_follows(project, result),
    skip=_came_with_labels,
)
