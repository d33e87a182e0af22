"""Do the work of `fer check images`: find crops that are missing, corrupt, blank or duplicated."""

from dataclasses import replace

from fercli.core.commit import Commit
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Label
from fercli.core.settings import plain_settings
from fercli.core.words import counted
from fercli.data.crops import CropError, CropFiles, image_digests
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
    problems, blank = _look(project, faces, progress)
    reasons = {face_id: _reason(error) for face_id, error in problems.items()}
    digests = image_digests(project, [face for face in faces if face.face_id not in reasons], progress=progress)
    num_groups, num_conflicting = _copies(project, digests)
    num_missing = sum(error.is_missing for error in problems.values())
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
    if not problems or not settings.fix or dry_run:
        return replace(result, failed_checks=tuple(_failed(problems)))
    with project.commit() as commit:
        return _fix(project, settings, result, set(problems), commit)


def _fix(
    project: Project, settings: CheckImagesSettings, seen: CheckImagesResult, suspects: set[str], commit: Commit
) -> CheckImagesResult:
    """Mark as dropped those of the suspects that are missing or broken still, now that nobody else writes."""
    faces = project.rows(Face)
    problems, _ = _look(project, [face for face in faces if face.is_usable and face.face_id in suspects], SILENT)
    num_missing = sum(error.is_missing for error in problems.values())
    result = replace(seen, num_missing=num_missing, num_unreadable=len(problems) - num_missing)
    if not problems:
        return result
    rows = [
        replace(face, status="dropped", reason=_reason(problems[face.face_id])) if face.face_id in problems else face
        for face in faces
    ]
    output = commit.table(rows, Face)
    commit.log("check-images", plain_settings(settings), {"num_fixed": len(problems)})
    return replace(result, num_fixed=len(problems), outputs=(output,))


def _look(project: Project, faces: list[Face], progress: Progress) -> tuple[dict[str, CropError], list[str]]:
    """Why crops cannot be read, and which are of a single colour."""
    files = CropFiles(project.root)
    problems, blank = {}, []
    progress.start("checking crops", len(faces))
    for face in faces:
        try:
            image = files.read(face.path)
        except CropError as error:
            problems[face.face_id] = error
        else:
            if image.min() == image.max():
                blank.append(face.face_id)
        progress.advance()
    return problems, blank


def _reason(error: CropError) -> str:
    """As faces.csv says it of a dropped face."""
    return "the crop is missing" if error.is_missing else f"the crop cannot be read: {error.message}"


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
        sentences.append(
            f"{counted(len(blank), 'crop is', 'crops are')} blank: all their pixels have one value, e.g. {blank[0]}."
        )
    if num_conflicting:
        sentences.append(f"Different labels on byte-identical crops: {counted(num_conflicting, 'group')}.")
    return sentences


def _failed(problems: dict[str, CropError]) -> list[str]:
    """One sentence for each way to get crops back."""
    by_hint: dict[str, list[str]] = {}
    for face_id, error in problems.items():
        by_hint.setdefault(error.hint, []).append(f"{face_id} ({error.message})")
    return [
        f"{counted(len(names), 'crop is', 'crops are')} missing or unreadable: "
        f"{', '.join(names[:_MOST_NAMED])}. {hint}. Or drop these "
        "faces: fer check images --fix"
        for hint, names in by_hint.items()
    ]
