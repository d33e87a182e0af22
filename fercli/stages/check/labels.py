"""`fer check labels`: labels and votes to what does not fit together any more."""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace

from fercli.core.emotions import NO_CLASS
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label, Vote
from fercli.core.settings import setting
from fercli.stages.labels.vote import label_counts, relabel, stale_warnings, vote_settings


@dataclass(frozen=True)
class CheckLabelsSettings:
    """What agreement is asked for, and what is done about labels that do not fit."""

    minimum: float | None = setting(None, "Fail when Krippendorff's alpha lies below this.", option="min")
    fix: bool = setting(False, "Vote again, and let labels of vanished faces go.")


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


def check_labels(project: Project, settings: CheckLabelsSettings) -> CheckLabelsResult:
    """Hold labels, votes, faces and classes against each other.

    Raises:
        MissingStageError: there are no labels.
    """
    # What is mended was read under the same lock: votes that come in meanwhile are not lost.
    with project.writing() if settings.fix else nullcontext():
        return _check(project, settings)


def _check(project: Project, settings: CheckLabelsSettings) -> CheckLabelsResult:
    from fercli.labels.agreement import measure_agreement

    labels, votes = project.required_rows(Label), project.rows(Vote)
    usable = {face.face_id for face in project.required_rows(Face) if face.status in ("ok", "given")}
    foreign = _foreign(labels, project)
    known = {*project.classes, *NO_CLASS}
    foreign_votes = sorted({vote.label for vote in votes} - known)
    good_votes = [vote for vote in votes if vote.label in known]
    settings_of_vote = vote_settings(project)
    fresh = relabel(project, good_votes, settings_of_vote)
    kept = [label for label in fresh if label.face_id in usable]
    result = CheckLabelsResult(
        num_labels=len(labels),
        num_votes=len(votes),
        num_foreign_labels=len(foreign),
        num_foreign_votes=sum(vote.label in foreign_votes for vote in votes),
        num_without_face=sum(label.face_id not in usable for label in labels),
        num_outdated=_num_different(labels, fresh, settings_of_vote.method),
        krippendorff=measure_agreement(good_votes, project.classes).krippendorff.value,
        warnings=(
            *label_counts(project, labels, votes, settings_of_vote)["warnings"],
            *stale_warnings(project, labels),
        ),
    )
    if settings.fix and (result.num_outdated or result.num_without_face):
        output = project.write_rows(kept, Label)
        fixed = result.num_outdated + result.num_without_face
        mended = replace(result, num_outdated=0, num_without_face=0)
        left = _failed(mended, _foreign(kept, project), settings)
        return replace(result, num_fixed=fixed, outputs=(output,), failed_checks=tuple(left))
    return replace(result, failed_checks=tuple(_failed(result, foreign, settings)))


def _foreign(labels: Iterable[Label], project: Project) -> list[str]:
    """Words of labels that are no class of the project."""
    return [label.label for label in labels if label.label and label.label not in project.classes]


def _num_different(labels: list[Label], fresh: list[Label], method: str) -> int:
    """Faces whose label is not what the votes give; labels of another method, as of a data set, are not judged."""
    before = {label.face_id: label for label in labels}
    after = {label.face_id: label.label for label in fresh}
    mine = {face_id for face_id, label in before.items() if label.rule.split("+")[0] == method}
    new = after.keys() - before.keys()
    return sum(before[face_id].label != after.get(face_id, "") for face_id in mine) + sum(
        bool(after[key]) for key in new
    )


def _failed(result: CheckLabelsResult, foreign: list[str], settings: CheckLabelsSettings) -> list[str]:
    sentences = []
    if foreign:
        names = ", ".join(sorted(set(foreign))[:3])
        sentences.append(f"{len(foreign)} labels are no class of this project: {names}; mend fer.toml.")
    if result.num_foreign_votes:
        sentences.append(f"{result.num_foreign_votes} votes are for no class of this project; mend fer.toml.")
    if result.num_without_face:
        sentences.append(f"{result.num_without_face} labels are of faces that are gone or dropped; use --fix.")
    if result.num_outdated:
        sentences.append(
            f"{result.num_outdated} labels are not what the votes say; vote again: fer labels vote --force."
        )
    if settings.minimum is not None and (result.krippendorff is None or result.krippendorff < settings.minimum):
        value = "not defined" if result.krippendorff is None else f"{result.krippendorff:.3f}"
        sentences.append(f"Krippendorff's alpha is {value}, and at least {settings.minimum:g} is asked for.")
    return sentences
