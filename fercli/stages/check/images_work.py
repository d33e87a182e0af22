"""The work of `fer check images`: crops to those that are missing, corrupt, blank, or there twice."""

from dataclasses import replace

from fercli.core.commit import Commit
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Label
from fercli.core.settings import plain_settings
from fercli.data.crops import CropFiles
from fercli.data.image_digests import image_digests
from fercli.stages.check.images import CheckImagesResult, CheckImagesSettings

_MOST_NAMED = 3


def call(
    project: Project, settings: CheckImagesSettings, *, progress: Progress, force: bool, dry_run: bool
) -> CheckImagesResult:
    """Read every crop once; one that is missing or broken is a failed check.

    Raises:
        MissingStageError: the project has no faces yet.
    """
    faces = [face for face in project.required_rows(Face) if face.is_usable]
    reasons, blank = _look(project, faces, progress)
    digests = image_digests(project, [face for face in faces if face.face_id not in reasons], progress=progress)
    num_groups, num_conflicting = _copies(project, digests)
    num_missing = _num_missing(reasons)
    result = CheckImagesResult(
        num_faces=len(faces),
        num_missing=num_missing,
        num_unreadable=len(reasons) - num_missing,
        num_blank=len(blank),
        num_identical_groups=num_groups,
        num_conflicting_groups=num_conflicting,
        blank=tuple(blank[:_MOST_NAMED]),
        warnings=tuple(_warnings(blank, num_conflicting)),
    )
    if not reasons or not settings.fix or dry_run:
        return replace(result, failed_checks=tuple(_failed(reasons)))
    with project.commit() as commit:
        return _fix(project, settings, result, set(reasons), commit)


def _fix(
    project: Project, settings: CheckImagesSettings, seen: CheckImagesResult, suspects: set[str], commit: Commit
) -> CheckImagesResult:
    """Mark as dropped those of the suspects that are missing or broken still, now that nobody else writes."""
    faces = project.rows(Face)
    reasons, _ = _look(project, [face for face in faces if face.is_usable and face.face_id in suspects], SILENT)
    num_missing = _num_missing(reasons)
    result = replace(seen, num_missing=num_missing, num_unreadable=len(reasons) - num_missing)
    if not reasons:
        return result
    rows = [
        replace(face, status="dropped", reason=reasons[face.face_id]) if face.face_id in reasons else face
        for face in faces
    ]
    output = commit.table(rows, Face)
    commit.log("check-images", plain_settings(settings), {"num_fixed": len(reasons)})
    return replace(result, num_fixed=len(reasons), outputs=(output,))


def _num_missing(reasons: dict[str, str]) -> int:
    return sum(reason == "the crop is missing" for reason in reasons.values())


def _look(project: Project, faces: list[Face], progress: Progress) -> tuple[dict[str, str], list[str]]:
    """Why crops cannot be read, and which are of a single colour."""
    files = CropFiles(project.root)
    reasons, blank = {}, []
    progress.start("checking crops", len(faces))
    for face in faces:
        image, reason = files.read(face.path)
        if image is None:
            reasons[face.face_id] = reason
        elif image.min() == image.max():
            blank.append(face.face_id)
        progress.advance()
    return reasons, blank


def _copies(project: Project, digests: dict[str, str]) -> tuple[int, int]:
    """Groups of identical crops, and those of them that carry several labels."""
    label_of = {label.face_id: label.label for label in project.rows(Label) if label.label}
    groups: dict[str, list[str]] = {}
    for face_id, digest in digests.items():
        groups.setdefault(digest, []).append(face_id)
    repeated = [group for group in groups.values() if len(group) > 1]
    labels = [{label_of[face_id] for face_id in group if face_id in label_of} for group in repeated]
    return len(repeated), sum(len(found) > 1 for found in labels)


def _warnings(blank: list[str], num_conflicting: int) -> list[str]:
    sentences = []
    if blank:
        sentences.append(f"{len(blank)} crops are blank: all their pixels have one value, e.g. {blank[0]}.")
    if num_conflicting:
        sentences.append(f"{num_conflicting} groups of byte-identical crops carry different labels.")
    return sentences


def _failed(reasons: dict[str, str]) -> list[str]:
    if not reasons:
        return []
    names = ", ".join(f"{face_id} ({reason})" for face_id, reason in list(reasons.items())[:_MOST_NAMED])
    return [
        f"{len(reasons):,} crops are missing or unreadable: {names}. Recreate them with `fer align --force`, or use "
        "--fix."
    ]
