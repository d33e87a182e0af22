"""`fer split`: labelled faces to train, val and test, with no subject and no picture on two sides."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fercli.core.errors import CheckError, UsageError
from fercli.core.files import slug
from fercli.core.memory import fingerprint, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import Failure, StageResult
from fercli.core.rows import SPLITS, Face, Label, SplitRow, Video
from fercli.core.settings import setting
from fercli.core.splits import read_record, stale_splits, write_record
from fercli.core.tables import write_table
from fercli.stages.split.material import Material, gather_material

if TYPE_CHECKING:
    from fercli.labels.leaks import Leaks

# Below this number of subjects an interval says nothing; the same as in scoring.
MIN_UNITS = 5


@dataclass(frozen=True)
class SplitSettings:
    """How faces are shared out."""

    group: Literal["subject", "video", "session", "none"] = setting("subject", "Keep faces of one such group together.")
    ratios: tuple[float, ...] = setting((0.7, 0.15, 0.15), "Give these shares to train, val and test.")
    kfold: int | None = setting(None, "Make this number of folds, each group test in one.", minimum=2)
    leave_one_out: bool = setting(False, "Make a fold for each group, which is test alone.")
    stratify: bool = setting(True, "Keep the classes in proportion.")
    seed: int = setting(0, "Draw with this seed.", minimum=0)
    name: str = setting("default", "Call the split so.")
    from_file: Path | None = setting(None, "Read the split from this CSV: face_id,split.", option="from")
    drop_duplicates: bool = setting(False, "Drop training copies of faces of val and test.")


@dataclass(frozen=True, kw_only=True)
class SplitResult(StageResult):
    """What was shared out.

    Attributes:
        name: of the split.
        group: what was kept together.
        num_faces: faces in the split.
        num_folds: 0 without folds; the counts below are then sums over folds.
        parts: faces of each part.
        groups: groups in each part.
        classes: faces of each class, by part.
        num_left_out: labelled faces that are in no part.
        num_dropped: training copies of faces of val or test that were dropped.
        identical_across_splits: faces of val and test that are byte-identical to one of an earlier part.
        knows_subjects: somebody told who is who, so that people on two sides would have been found.
    """

    name: str = ""
    group: str = ""
    num_faces: int = 0
    num_folds: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    classes: dict[str, dict[str, int]] = field(default_factory=dict)
    num_left_out: int = 0
    num_dropped: int = 0
    identical_across_splits: int = 0
    knows_subjects: bool = True


def split(
    project: Project,
    settings: SplitSettings,
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
) -> SplitResult:
    """Share labelled faces out, check that nothing leaks, and write the split and how it was made.

    Pictures that are byte-identical stay on one side together with their groups.

    Raises:
        MissingStageError: there are no labels, or no subjects to group by.
        InputError: too few groups, or the file cannot be read as a split.
        CheckError: a subject or a picture would be on two sides; nothing is written then.
    """
    _check_settings(project, settings)
    project.require(Face)
    project.require(Label)
    name = slug(settings.name)
    inputs = [project.table_path(row_type) for row_type in (Face, Label, Video)]
    inputs += [settings.from_file] if settings.from_file else []
    mark = fingerprint(settings, inputs, project.classes)
    if not force and (known := recall(project.root, f"split-{name}", mark, SplitResult)):
        return known
    material = gather_material(project, settings.group, is_given=settings.from_file is not None, progress=progress)
    rows, failures = _rows(project, settings, material)
    rows, num_dropped = _without_duplicates(rows, material) if settings.drop_duplicates else (rows, 0)
    leaks = _checked(rows, material)
    result = _result(settings, name, rows, material, leaks=leaks, num_dropped=num_dropped, failures=failures)
    if dry_run:
        parts = ", ".join(f"{number} to {part}" for part, number in result.parts.items())
        return SplitResult(name=name, is_dry_run=True, plan=(f"give {parts} in splits/{name}.csv",))
    with project.writing():
        return _write(project, settings, mark, rows, material=material, leaks=leaks, result=result)


def _check_settings(project: Project, settings: SplitSettings) -> None:
    if len(settings.ratios) != 3:
        raise UsageError("'--ratios' needs three shares", hint="For example: --ratios 0.7,0.15,0.15")
    if settings.kfold and settings.leave_one_out:
        raise UsageError("'--kfold' and '--leave-one-out' exclude each other", hint="Leave one of them out.")
    if settings.from_file and (settings.kfold or settings.leave_one_out):
        raise UsageError("'--from' brings its own folds", hint="Leave out --kfold and --leave-one-out.")
    path = project.split_path(slug(settings.name))
    if read_record(path).get("official"):
        hint = "Give yours another --name."
        raise UsageError(f"'{path.stem}' is the published split of a data set and is kept as it is", hint=hint)


def _rows(project: Project, settings: SplitSettings, material: Material) -> tuple[list[SplitRow], list[Failure]]:
    from fercli.labels.splits import Faces, leave_one_out, make_folds, make_split

    if settings.from_file:
        return _rows_of_file(settings.from_file, material)
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


def _rows_of_file(path: Path, material: Material) -> tuple[list[SplitRow], list[Failure]]:
    from fercli.labels.matching import FaceIndex
    from fercli.labels.split_file import read_split_file

    read = read_split_file(path, FaceIndex(material.faces))
    return read.rows, [Failure(item, "is no face of this project") for item in read.unmatched]


def _without_duplicates(rows: list[SplitRow], material: Material) -> tuple[list[SplitRow], int]:
    from fercli.labels.leaks import find_leaks, without_copies

    kept = without_copies(rows, find_leaks(rows, hashes=material.digests), material.digests)
    return kept, len(rows) - len(kept)


def _checked(rows: Sequence[SplitRow], material: Material) -> "Leaks":
    """What the split has on two sides, if that can be borne.

    Raises:
        CheckError: subjects (videos, where subjects are not known) or pictures leak.
    """
    from fercli.labels.leaks import find_leaks

    leaks = find_leaks(rows, subjects=material.subjects, videos=material.videos, hashes=material.digests)
    if leaks.subjects:
        names = ", ".join(f"{name} ({' and '.join(sides)})" for name, sides in list(leaks.subjects.items())[:3])
        raise CheckError(
            f"the split leaks: {len(leaks.subjects)} subjects are on two sides, e.g. {names}",
            hint="Keep subjects together: fer split --group subject.",
        )
    if leaks.identical:
        copy = leaks.identical[0]
        raise CheckError(
            f"the split leaks: {leaks.identical_across_splits} faces of val or test are byte-identical to one of an "
            f"earlier part, e.g. {copy.face_id} ({copy.split}) and {copy.copy_id} ({copy.copy_split})",
            hint="Leave the training copies out with --drop-duplicates.",
        )
    if leaks.videos and material.group == "subject" and not material.subjects:
        videos = list(leaks.videos)[:3]
        raise CheckError(
            f"nobody knows yet who is who, and faces of one video are on two sides of the split ({', '.join(videos)})",
            hint="Run: fer subjects track. If nobody is in it twice all the same: --group none",
        )
    if leaks.videos and material.group in ("video", "session"):
        raise CheckError(
            f"the split leaks: {len(leaks.videos)} videos are on two sides",
            hint="Make it again: fer split --group video.",
        )
    return leaks


def _result(
    settings: SplitSettings,
    name: str,
    rows: Sequence[SplitRow],
    material: Material,
    *,
    leaks: "Leaks",
    num_dropped: int,
    failures: Sequence[Failure],
) -> SplitResult:
    from fercli.labels.splits import split_counts

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
        warnings=tuple(_warnings(counts, groups, material, has_folds=bool(folds))),
        failures=tuple(failures),
        next_command=_next_command(name, has_folds=bool(folds)),
    )


def _warnings(
    counts: dict[str, dict[str, int]], groups: dict[str, int], material: Material, *, has_folds: bool
) -> list[str]:
    sentences = list(material.warnings)
    known = sorted({label for label in material.labels.values() if label})
    for part, classes in counts.items():
        absent = ", ".join(label for label in known if label not in classes)
        if absent and not has_folds:
            end = "it cannot be learned" if part == "train" else "its scores will say nothing of it"
            sentences.append(f"No face of {part} has the label {absent}; {end}.")
    if material.group != "none" and not has_folds and 0 < groups.get("test", 0) < MIN_UNITS:
        sentences.append(
            f"Only {groups['test']} of {sum(groups.values())} {material.group}s are in test; "
            f"its scores get no interval, which needs {MIN_UNITS}."
        )
    return sentences


def _next_command(name: str, *, has_folds: bool) -> str:
    words = ["fer train"] + [f"--split {name}"] * (name != "default") + ["--fold 0"] * has_folds
    return " ".join(words)


def _write(
    project: Project,
    settings: SplitSettings,
    mark: str,
    rows: Sequence[SplitRow],
    *,
    material: Material,
    leaks: "Leaks",
    result: SplitResult,
) -> SplitResult:
    path = project.split_path(result.name)
    write_table(path, rows, SplitRow)
    write_record(path, _record(settings, material, leaks, result))
    outputs = (project.relative(path), project.relative(path.with_suffix(".json")))
    others = [sentence for sentence in stale_splits(project, project.rows(Label)) if f"'{result.name}'" not in sentence]
    result = replace(result, outputs=outputs, warnings=(*result.warnings, *others))
    remember(project.root, f"split-{result.name}", mark, settings, result=result)
    return result


def _record(
    settings: SplitSettings, material: Material, leaks: "Leaks", result: SplitResult
) -> dict[str, Any]:  # JSON values
    """How the split was made, for the file beside it."""
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
        "leakage": {
            "identical_across_splits": leaks.identical_across_splits,
            "identical": [asdict(copy) for copy in leaks.identical],
            "subjects": list(leaks.subjects),
            "num_videos_on_two_sides": len(leaks.videos),
        },
    }
