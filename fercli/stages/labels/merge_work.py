"""Do the work of `fer labels annotators merge` and `rename`: change pseudonyms in votes and in the key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fercli.core.commit import Commit
from fercli.core.errors import InputError, UsageError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Label, Vote
from fercli.core.settings import suggestion
from fercli.core.splits import stale_splits
from fercli.core.stage import Plan
from fercli.core.tables import read_table
from fercli.core.words import counted
from fercli.labels.formats.rawvotes import is_ballot
from fercli.labels.importing import merge_votes, under_one_name
from fercli.labels.pseudonyms import ADJUDICATOR
from fercli.stages.labels.annotators import LabelsChangeResult
from fercli.stages.labels.archive import import_place, numbered, put_key, read_imports, read_key
from fercli.stages.labels.import_work import GOLD_PATH
from fercli.stages.labels.vote import vote_settings
from fercli.stages.labels.vote_work import label_counts, relabel
from fercli.stages.next_steps import after_labels


@dataclass(frozen=True, kw_only=True)
class NamesPlan(Plan):
    """The new pseudonym of each annotator that gets one."""

    names: Mapping[str, str]


def plan(
    project: Project, settings: None, keep: str, others: Sequence[str], *, force: bool, progress: Progress
) -> NamesPlan:
    """Check the names.

    Raises:
        MissingStageError: no votes have been imported.
        InputError: there is no such annotator.
        UsageError: an annotator is to be merged with itself.
    """
    project.require(Vote)
    known, key = annotators_of(project), read_key(project)
    if keep in known and all(name not in known and key.get(name) == keep for name in others):
        return NamesPlan(names={}, known=unchanged(project, "that was done before"))
    for name in (keep, *others):
        check_known(name, known, key)
    if keep in others:
        raise UsageError(f"annotator '{keep}' cannot be merged with itself", hint="Name two different annotators.")
    return NamesPlan(lines=(f"merge {', '.join(others)} into {keep}",), names=dict.fromkeys(others, keep))


def run(project: Project, settings: None, plan: NamesPlan, commit: Commit, *, progress: Progress) -> LabelsChangeResult:
    """Write votes, labels and the key; what comes in under the old names later goes to the new ones."""
    names, imports = plan.names, read_imports(project)
    before = numbered(project.rows(Vote), imports)
    # Without time stamps the later import is the newer, and in one import the vote of the annotator who stays counts.
    before.sort(key=lambda vote: (import_place(vote.source), vote.annotator not in names))
    votes, num_overwritten, num_differing = merge_votes((), under_one_name(before, names))
    rule = vote_settings(project)
    concerned = {vote.face_id for vote in before if vote.annotator in names}
    labels = relabel(project, votes, rule, only=concerned)
    key = {name: names.get(word, word) for name, word in read_key(project).items()}
    put_key(project, commit, key | dict(names) | {word: word for word in names.values()})
    outputs = [commit.table(votes, Vote), commit.table(labels, Label), *_put_gold(project, commit, names)]
    counts = label_counts(project, labels, votes, rule)
    said = _without_votes(plan, before)
    if num_differing:
        said.append(f"On {counted(num_differing, 'face')} the votes differed; the newer one stays.")
    return LabelsChangeResult(
        **counts | {"warnings": (*said, *counts["warnings"], *stale_splits(project, labels))},
        num_votes=len(votes),
        num_annotators=len({vote.annotator for vote in votes}),
        num_overwritten=num_overwritten,
        outputs=tuple(outputs),
        next_command=after_labels(project, labels),
    )


def _without_votes(plan: NamesPlan, votes: Sequence[Vote]) -> list[str]:
    voters = {vote.annotator for vote in votes}
    return [
        f"{name} has no votes here, so none changed; votes of that person that come in later are {plan.names[name]}'s."
        for name in plan.names
        if name not in voters
    ]


def _put_gold(project: Project, commit: Commit, names: Mapping[str, str]) -> list[str]:
    path = project.root / GOLD_PATH
    if not path.exists():
        return []
    gold = under_one_name(numbered(read_table(path, Vote), read_imports(project)), names)
    return [commit.table(merge_votes((), gold)[0], Vote, path)]


def annotators_of(project: Project) -> set[str]:
    """The pseudonyms of people; counted ballots and the adjudicator are none."""
    words = {vote.annotator for vote in project.rows(Vote)} | set(read_key(project).values())
    return {word for word in words if not is_ballot(word) and word != ADJUDICATOR}


def check_known(name: str, known: set[str], key: Mapping[str, str]) -> None:
    """Raise InputError unless there is such an annotator; the hint tells the pseudonym of a name, or the new one."""
    if name not in known:
        heir = key.get(name)
        hint = f"Here '{name}' is {heir}." if heir in known else suggestion(name, sorted(known))
        raise InputError(f"annotator '{name}' not found in this project", hint=hint)


def unchanged(project: Project, done_before: str) -> LabelsChangeResult:
    """Votes and labels as they stand, for a call that has nothing to do."""
    votes, labels = project.rows(Vote), project.rows(Label)
    return LabelsChangeResult(
        **label_counts(project, labels, votes, vote_settings(project)),
        num_votes=len(votes),
        num_annotators=len({vote.annotator for vote in votes}),
        is_unchanged=True,
        done_before=done_before,
    )
