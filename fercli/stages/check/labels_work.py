"""Do the work of `fer check labels`: find labels and votes that no longer fit together."""

from collections.abc import Iterable
from dataclasses import replace

from fercli.core.commit import Commit
from fercli.core.emotions import NO_CLASS
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Label, Vote
from fercli.core.settings import plain_settings
from fercli.core.splits import stale_splits
from fercli.core.words import counted
from fercli.labels.agreement import measure_agreement
from fercli.stages.check.labels import CheckLabelsResult, CheckLabelsSettings
from fercli.stages.labels.vote import vote_settings
from fercli.stages.labels.vote_work import label_counts, relabel


def call(
    project: Project, settings: CheckLabelsSettings, *, progress: Progress, force: bool, dry_run: bool
) -> CheckLabelsResult:
    """Check labels, votes, faces and classes against one another.

    Raises:
        MissingStageError: there are no labels.
    """
    if not settings.fix or dry_run:
        return _check(project, settings, None)
    # What is fixed was read under the same lock: votes that come in meanwhile are not lost.
    with project.commit() as commit:
        return _check(project, settings, commit)


def _check(project: Project, settings: CheckLabelsSettings, commit: Commit | None) -> CheckLabelsResult:
    labels, votes = project.required_rows(Label), project.rows(Vote)
    usable = {face.face_id for face in project.required_rows(Face) if face.is_usable}
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
            *stale_splits(project, labels),
        ),
    )
    if commit and (result.num_outdated or result.num_without_face):
        output = commit.table(kept, Label)
        fixed = result.num_outdated + result.num_without_face
        commit.log("check-labels", plain_settings(settings), {"num_fixed": fixed})
        mended = replace(result, num_outdated=0, num_without_face=0)
        left = _failed(mended, _foreign(kept, project), settings)
        return replace(result, num_fixed=fixed, outputs=(output,), failed_checks=tuple(left))
    return replace(result, failed_checks=tuple(_failed(result, foreign, settings)))


def _foreign(labels: Iterable[Label], project: Project) -> list[str]:
    """Words of labels that are no class of the project."""
    return [label.label for label in labels if label.label and label.label not in project.classes]


def _num_different(labels: list[Label], fresh: list[Label], method: str) -> int:
    """Faces whose label is not what the votes give; labels of another method, as of a dataset, are not judged."""
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
        sentences.append(
            f"{counted(len(foreign), 'label is', 'labels are')} not a class of this project: {names}. Fix fer.toml."
        )
    if result.num_foreign_votes:
        sentences.append(
            f"{counted(result.num_foreign_votes, 'vote is', 'votes are')} not for a class of this "
            f"project. Fix fer.toml."
        )
    if result.num_without_face:
        sentences.append(
            f"{counted(result.num_without_face, 'label belongs', 'labels belong')} to removed or dropped "
            f"faces. Use --fix to delete them."
        )
    if result.num_outdated:
        sentences.append(
            f"{counted(result.num_outdated, 'label is', 'labels are')} out of date with the votes. Run: "
            f"fer labels vote --force."
        )
    if settings.minimum is not None and (result.krippendorff is None or result.krippendorff < settings.minimum):
        value = "not defined" if result.krippendorff is None else f"{result.krippendorff:.3f}"
        sentences.append(f"Krippendorff's alpha is {value}, below the required {settings.minimum:g}.")
    return sentences
