"""Do the work of `fer check leakage`: find subjects, videos and copies of images that the sets of a split share."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fercli.core.commit import Commit
from fercli.core.errors import UsageError
from fercli.core.people import people_doubt, subject_sources, unmatched_videos
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import SPLITS, Face, Label, SplitRow
from fercli.core.splits import choose_split, labels_mark, read_record, record_text
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.data.crops import CropError, CropFiles, image_digests
from fercli.labels.leaks import CopiedImage, Leaks, find_leaks, without_copies
from fercli.stages.check.leakage import CheckLeakageResult, CheckLeakageSettings
from fercli.stages.next_steps import train_command
from fercli.vision.quality import phash

_MOST_EXAMPLES = 10


@dataclass(frozen=True, kw_only=True)
class LeakagePlan(Plan):
    """The split that is checked."""

    name: str


def plan(project: Project, settings: CheckLeakageSettings, *, force: bool, progress: Progress) -> LeakagePlan:
    """Find the split.

    Raises:
        MissingStageError: there is no such split.
    """
    name = choose_split(project, settings.split)
    lines = [f"check split '{name}' for leakage"]
    lines += [f"save split '{name}-deduplicated' without duplicated training faces"] if settings.drop_duplicates else []
    return LeakagePlan(lines=lines, counts={"split": name}, name=name)


def run(
    project: Project, settings: CheckLeakageSettings, plan: LeakagePlan, commit: Commit, *, progress: Progress
) -> CheckLeakageResult:
    """Look for leaks; subjects or identical images in two sets are a failed check, near ones a warning.

    Raises:
        MissingStageError: there are no faces.
    """
    rows = project.split_rows(plan.name)
    inside = {row.face_id for row in rows}
    faces = [face for face in project.required_rows(Face) if face.face_id in inside]
    commit.reads = project.digests((face.path for face in faces), "faces.csv")
    # Looking for near duplicates reads the same files, and tells of it.
    digests = image_digests(project, faces, progress=SILENT if settings.near else progress)
    leaks = find_leaks(
        rows,
        subjects={face.face_id: face.subject_id for face in faces},
        videos={face.face_id: face.video_id for face in faces},
        hashes=digests,
        phashes=_phashes(project, faces, progress) if settings.near else None,
        max_bits=settings.near,
    )
    is_official = bool(read_record(project.split_path(plan.name)).get("official"))
    unmatched = unmatched_videos(project, faces, subject_sources(project, faces))
    result = _result(plan.name, is_official, len(inside), faces, leaks=leaks, unmatched=unmatched)
    if settings.drop_duplicates and leaks.identical:
        return _without_copies(project, commit, rows, leaks, digests=digests, result=result)
    if not leaks.identical or _is_foreign(project.split_path(_new_name(plan.name))):
        return result
    return replace(result, next_command=f"fer check leakage --split-name {plan.name} --drop-duplicates")


def _phashes(project: Project, faces: Sequence[Face], progress: Progress) -> dict[str, str]:
    files = CropFiles(project.root)
    progress.start("comparing images", len(faces))
    hashes = {}
    for face in faces:
        # A missing or damaged crop is a matter of `fer check images`.
        with suppress(CropError):
            hashes[face.face_id] = phash(files.read(face.path))
        progress.advance()
    return hashes


def _result(
    name: str, is_published: bool, num_faces: int, faces: Sequence[Face], *, leaks: Leaks, unmatched: tuple[str, ...]
) -> CheckLeakageResult:
    pairs = Counter(f"{copy.split} and {copy.copy_split}" for copy in _once(leaks.identical))
    knows_subjects = any(face.subject_id for face in faces)
    result = CheckLeakageResult(
        split=name,
        is_published=is_published,
        num_faces=num_faces,
        subjects_across_splits=len(leaks.subjects),
        videos_across_splits=len(leaks.videos),
        identical_across_splits=leaks.identical_across_splits,
        identical_by_parts=dict(sorted(pairs.items())),
        near_across_splits=leaks.near_across_splits,
        examples=tuple(asdict(copy) for copy in [*leaks.identical, *leaks.near][:_MOST_EXAMPLES]),
        unmatched_videos=unmatched,
    )
    return replace(
        result,
        failed_checks=tuple(_failed(result, leaks)),
        warnings=tuple(_warnings(result, knows_subjects=knows_subjects)),
    )


def _once(copies: Sequence[CopiedImage]) -> list[CopiedImage]:
    """Each later face once, with its first copy."""
    first: dict[tuple[str, int | None], CopiedImage] = {}
    for copy in copies:
        first.setdefault((copy.face_id, copy.fold), copy)
    return list(first.values())


def _failed(result: CheckLeakageResult, leaks: Leaks) -> list[str]:
    sentences = []
    kept = " The split is official and is kept as it is." if result.is_published else ""
    if leaks.subjects:
        names = ", ".join(list(leaks.subjects)[:3])
        sentences.append(
            f"{counted(len(leaks.subjects), 'subject appears', 'subjects appear')} in more than one set "
            f"of split '{result.split}', e.g. {names}.{kept}"
        )
    if leaks.identical:
        sentences.append(
            f"{result.identical_across_splits:,} val or test faces are byte-identical to faces in another set of "
            f"split '{result.split}'.{kept}"
        )
    return sentences


def _warnings(result: CheckLeakageResult, *, knows_subjects: bool) -> list[str]:
    sentences = list(people_doubt(result.unmatched_videos))
    if result.videos_across_splits and not knows_subjects:
        sentences.append(
            f"{counted(result.videos_across_splits, 'video appears', 'videos appear')} in more than one set, with "
            f"subjects that are unknown, "
            "so the same person may be in train and test."
        )
    if not knows_subjects:
        sentences.append("Subjects are not assigned, so leakage between subjects cannot be checked.")
    if result.near_across_splits:
        sentences.append(
            f"{result.near_across_splits:,} val or test faces are near-duplicates of faces in another set. Inspect "
            "some with `fer trace`."
        )
    return sentences


def _without_copies(
    project: Project,
    commit: Commit,
    rows: Sequence[SplitRow],
    leaks: Leaks,
    *,
    digests: dict[str, str],
    result: CheckLeakageResult,
) -> CheckLeakageResult:
    """Save the split without its training copies under a name of its own; the first stays as it is."""
    new_name = _new_name(result.split)
    path = project.split_path(new_name)
    if _is_foreign(path):
        raise UsageError(f"split '{new_name}' already exists", hint="Rename it: its files are in manifests/splits.")
    kept = without_copies(rows, leaks, digests)
    parts = Counter(row.split for row in kept)
    record = {
        "name": new_name,
        "made_by": "fer check leakage",
        "source": result.split,
        "official": False,
        "parts": {part: parts[part] for part in SPLITS if parts[part]},
        "num_dropped": len(rows) - len(kept),
        "labels_mark": labels_mark(project.rows(Label)),
        "leakage": {"identical_across_splits": 0, "identical": []},
    }
    return replace(
        result,
        num_dropped=len(rows) - len(kept),
        new_split=new_name,
        outputs=(commit.table(kept, SplitRow, path), commit.text(path.with_suffix(".json"), record_text(record))),
        next_command=train_command(new_name, has_folds=any(row.fold is not None for row in kept)),
    )


def _new_name(name: str) -> str:
    return f"{name}-deduplicated"


def _is_foreign(path: Path) -> bool:
    """Whether there is a split that `fer check leakage` has not made."""
    return path.exists() and read_record(path).get("made_by") != "fer check leakage"
