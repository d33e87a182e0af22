"""Do the work of `fer split`: assign groups to sets, check for leakage, and record how it was done."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fercli.core.commit import Commit
from fercli.core.errors import CheckError, UsageError
from fercli.core.files import slug
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import MIN_UNITS, SPLITS, Face, Frame, Label, SplitRow
from fercli.core.settings import changed_options, plain_settings
from fercli.core.splits import groups_mark, read_record, record_text
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.labels.leaks import Leaks, find_leaks, without_copies
from fercli.labels.matching import FaceIndex
from fercli.labels.split_file import read_split_file
from fercli.labels.splits import Faces, leave_one_out, make_folds, make_split, split_counts
from fercli.stages.next_steps import train_command
from fercli.stages.split import SplitResult, SplitSettings
from fercli.stages.split.material import Material, gather_material


@dataclass(frozen=True, kw_only=True)
class SplitPlan(Plan):
    """The rows of the split, checked, before they are written."""

    rows: list[SplitRow]
    material: Material
    leaks: Leaks
    result: SplitResult


def plan(project: Project, settings: SplitSettings, *, force: bool, progress: Progress) -> SplitPlan:
    """Split labelled faces, and check that nothing leaks; byte-identical images stay together with their groups.

    Raises:
        MissingStageError: there are no labels, no subjects to group by, or subjects of several videos that nobody has
            matched.
        InputError: too few groups, or the file cannot be read as a split.
        CheckError: a subject or an image would be in two sets.
    """
    _check_settings(project, settings)
    project.require(Face)
    project.require(Label)
    material = gather_material(
        project,
        settings.group,
        is_given=settings.from_file is not None,
        accepts_unknown=settings.accept_unknown_subjects,
        progress=progress,
    )
    rows, failures = _rows(project, settings, material)
    rows, num_dropped = _without_duplicates(rows, material) if settings.drop_duplicates else (rows, 0)
    leaks = _checked(rows, material)
    name = slug(settings.name)
    result = _result(settings, name, rows, material, leaks=leaks, num_dropped=num_dropped, failures=failures)
    parts = ", ".join(f"{number:,} to {part}" for part, number in result.parts.items())
    lines = (f"assign {parts} in splits/{name}.csv",)
    return SplitPlan(
        lines=lines,
        warnings=result.warnings,
        counts={"name": name},
        rows=rows,
        material=material,
        leaks=leaks,
        result=result,
    )


def run(
    project: Project, settings: SplitSettings, plan: SplitPlan, commit: Commit, *, progress: Progress
) -> SplitResult:
    """Write the split, and beside it how it was made."""
    commit.reads = plan.material.reads
    path = project.split_path(plan.result.name)
    record = _record(settings, plan)
    outputs = (commit.table(plan.rows, SplitRow, path), commit.text(path.with_suffix(".json"), record_text(record)))
    return replace(plan.result, outputs=outputs)


def _check_settings(project: Project, settings: SplitSettings) -> None:
    if len(settings.ratios) != 3:
        raise UsageError("--ratios needs three values", hint="For example: --ratios 0.7,0.15,0.15")
    if settings.kfold and settings.leave_one_out:
        raise UsageError("--kfold and --leave-one-group-out are mutually exclusive", hint="Use only one of them.")
    if settings.from_file and (settings.kfold or settings.leave_one_out):
        raise UsageError("--from already defines the folds", hint="Leave out --kfold and --leave-one-group-out.")
    path = project.split_path(slug(settings.name))
    if read_record(path).get("official"):
        hint = "Choose another --name."
        raise UsageError(f"'{path.stem}' is a dataset's official split and cannot be overwritten", hint=hint)


def _rows(project: Project, settings: SplitSettings, material: Material) -> tuple[list[SplitRow], list[Failure]]:
    if settings.from_file:
        return _rows_of_file(project, settings.from_file, material)
    face_ids = list(material.groups)
    labels = [material.labels[face_id] for face_id in face_ids]
    groups = [material.groups[face_id] for face_id in face_ids]
    faces = Faces(face_ids, labels, groups, "face" if settings.group == "none" else settings.group)
    train, val, test = settings.ratios
    seed, stratify = settings.seed, settings.stratify
    if settings.kfold:
        return make_folds(faces, settings.kfold, val_ratio=val, seed=seed, stratify=stratify), []
    if settings.leave_one_out:
        return leave_one_out(faces, val_ratio=val, seed=seed, stratify=stratify), []
    return make_split(faces, ratios=(train, val, test), seed=seed, stratify=stratify), []


def _rows_of_file(project: Project, path: Path, material: Material) -> tuple[list[SplitRow], list[Failure]]:
    index = FaceIndex(material.faces, project.rows(Frame))
    read = read_split_file(path, index)
    return read.rows, [Failure(item, index.why_not(item)) for item in read.unmatched]


def _without_duplicates(rows: list[SplitRow], material: Material) -> tuple[list[SplitRow], int]:
    kept = without_copies(rows, find_leaks(rows, hashes=material.digests), material.digests)
    return kept, len(rows) - len(kept)


def _checked(rows: Sequence[SplitRow], material: Material) -> Leaks:
    """What the split shares between sets, if that can be accepted.

    Raises:
        CheckError: subjects (videos, where subjects are not known) or pictures leak.
    """
    leaks = find_leaks(rows, subjects=material.subjects, videos=material.videos, hashes=material.digests)
    if leaks.subjects:
        names = ", ".join(f"{name} ({' and '.join(sides)})" for name, sides in list(leaks.subjects.items())[:3])
        raise CheckError(
            f"data leakage: {counted(len(leaks.subjects), 'subject appears', 'subjects appear')} in more "
            f"than one set, e.g. {names}",
            hint="Group by subject: fer split --group subject.",
        )
    if leaks.identical:
        copy = leaks.identical[0]
        raise CheckError(
            f"data leakage: {leaks.identical_across_splits} val or test faces are byte-identical to faces in another "
            f"set, e.g. {copy.face_id} ({copy.split}) and {copy.copy_id} ({copy.copy_split})",
            hint="Drop the training copies with --drop-duplicates.",
        )
    if leaks.videos and material.group == "subject" and not material.subjects:
        videos = list(leaks.videos)[:3]
        raise CheckError(
            f"subjects are not assigned, and faces of one video appear in more than one set ({', '.join(videos)})",
            hint="Run `fer subjects track`; if no person appears twice, use --group none.",
        )
    if leaks.videos and material.group in ("video", "session"):
        raise CheckError(
            f"data leakage: {counted(len(leaks.videos), 'video appears', 'videos appear')} in more than one set",
            hint="Group by video: fer split --group video.",
        )
    return leaks


def _result(
    settings: SplitSettings,
    name: str,
    rows: Sequence[SplitRow],
    material: Material,
    *,
    leaks: Leaks,
    num_dropped: int,
    failures: Sequence[Failure],
) -> SplitResult:
    folds = {row.fold for row in rows if row.fold is not None}
    counts = split_counts(rows, material.labels)
    parts = {part: sum(row.split == part for row in rows) for part in SPLITS}
    inside = {part: {material.groups.get(row.face_id, "") for row in rows if row.split == part} for part in SPLITS}
    groups: dict[str, int] = {part: len(names - {""}) for part, names in inside.items() if parts[part]}
    num_faces = len({row.face_id for row in rows})
    num_left_out = len(set(material.labels) - {row.face_id for row in rows})
    return SplitResult(
        name=name,
        group="file" if settings.from_file else settings.group,
        num_faces=num_faces,
        num_folds=len(folds),
        parts={part: number for part, number in parts.items() if number},
        groups=groups,
        classes=counts,
        num_left_out=num_left_out,
        num_dropped=num_dropped,
        identical_across_splits=leaks.identical_across_splits,
        knows_subjects=bool(material.subjects),
        unmatched_videos=material.unmatched_videos,
        warnings=tuple(_warnings(counts, groups, material, has_folds=bool(folds))),
        failures=tuple(failures),
        next_command=train_command(name, has_folds=bool(folds)),
    )


def _warnings(
    counts: dict[str, dict[str, int]], groups: dict[str, int], material: Material, *, has_folds: bool
) -> list[str]:
    sentences = [*material.warnings]
    known = sorted({label for label in material.labels.values() if label})
    for part, classes in counts.items():
        absent = ", ".join(label for label in known if label not in classes)
        if absent and not has_folds:
            end = "the model cannot learn it" if part == "train" else "it cannot be evaluated"
            sentences.append(f"No {part} face is labelled {absent}; {end}.")
    if material.group != "none" and not has_folds and 0 < groups.get("test", 0) < MIN_UNITS:
        sentences.append(
            f"The test set has only {groups['test']} of {sum(groups.values())} {material.group}s; "
            f"confidence intervals need at least {MIN_UNITS}."
        )
    return sentences


def _record(settings: SplitSettings, plan: SplitPlan) -> dict[str, Any]:  # JSON values
    """How the split was made, for the file beside it."""
    material, leaks, result = plan.material, plan.leaks, plan.result
    inside = {row.face_id for row in plan.rows}
    is_by_subject = result.group == "subject"
    return {
        "name": result.name,
        "made_by": "fer split",
        "official": False,
        "group": result.group,
        "source": settings.from_file.name if settings.from_file else "",
        "ratios": [] if settings.from_file or settings.leave_one_out else list(settings.ratios),
        "kfold": result.num_folds,
        "stratify": settings.stratify,
        "seed": settings.seed,
        "num_faces": result.num_faces,
        "num_left_out": result.num_left_out,
        "num_dropped": result.num_dropped,
        "parts": result.parts,
        "groups": result.groups,
        "classes": result.classes,
        "labels_mark": material.labels_mark,
        "groups_mark": groups_mark(inside, material.subjects) if is_by_subject else "",
        "command": _command(settings),
        "accept_unknown_subjects": settings.accept_unknown_subjects,
        "unmatched_videos": material.unmatched_videos,
        "leakage": {
            "identical_across_splits": leaks.identical_across_splits,
            "identical": [asdict(copy) for copy in leaks.identical],
            "subjects": list(leaks.subjects),
            "num_videos_on_two_sides": len(leaks.videos),
        },
    }


def _command(settings: SplitSettings) -> str:
    """What makes the split again; a file stands there by its name alone."""
    given = plain_settings(settings) | ({"from_file": settings.from_file.name} if settings.from_file else {})
    return " ".join(["fer split", *changed_options(SplitSettings, given)])
