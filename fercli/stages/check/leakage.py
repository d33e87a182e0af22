"""`fer check leakage`: a split to what it has on two sides: subjects, videos, copies of pictures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fercli.core.errors import UsageError
from fercli.core.memory import fingerprint, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import SPLITS, Face, Label, SplitRow
from fercli.core.settings import setting
from fercli.core.splits import labels_mark, read_record, write_record
from fercli.core.tables import write_table
from fercli.data.crops import CropFiles
from fercli.data.image_digests import image_digests

if TYPE_CHECKING:
    from fercli.labels.leaks import CopiedImage, Leaks

_MOST_EXAMPLES = 10


@dataclass(frozen=True)
class CheckLeakageSettings:
    """What is looked for, and where."""

    split: str = setting("", "Check this split; the only one, or 'default', otherwise.")
    near: int = setting(2, "Count pictures that differ in so few bits; 0 leaves it out.", minimum=0, maximum=32)
    drop_duplicates: bool = setting(False, "Write the split again without training copies.")


@dataclass(frozen=True, kw_only=True)
class CheckLeakageResult(StageResult):
    """What a split has on two sides.

    Attributes:
        split: its name.
        is_published: it came with a data set, and is kept as it is.
        num_faces: faces in it.
        subjects_across_splits: subjects on two sides.
        videos_across_splits: videos on two sides; a leak only where subjects are not known.
        identical_across_splits: faces of val and test that are byte-identical to one of an earlier part.
        identical_by_parts: the same by the two parts, e.g. "test and train".
        near_across_splits: faces of val and test that are nearly identical to one of an earlier part.
        examples: the first copies, each with both faces.
        num_dropped: training copies that the new split leaves out.
        new_split: name of the split without copies, where one was asked for.
    """

    split: str = ""
    is_published: bool = False
    num_faces: int = 0
    subjects_across_splits: int = 0
    videos_across_splits: int = 0
    identical_across_splits: int = 0
    identical_by_parts: dict[str, int] = field(default_factory=dict)
    near_across_splits: int = 0
    examples: tuple[dict[str, Any], ...] = ()
    num_dropped: int = 0
    new_split: str = ""


def check_leakage(
    project: Project, settings: CheckLeakageSettings, *, progress: Progress = SILENT, force: bool = False
) -> CheckLeakageResult:
    """Look for leaks; subjects or identical pictures on two sides are a failed check, near ones a warning.

    Raises:
        MissingStageError: there are no faces, or no such split.
    """
    from fercli.labels.leaks import find_leaks

    name = choose_split(project, settings.split)
    path = project.split_path(name)
    mark = fingerprint(settings, [project.table_path(Face), path, path.with_suffix(".json")])
    if not force and (known := recall(project.root, f"check-leakage-{name}", mark, CheckLeakageResult)):
        return known
    rows = project.split_rows(name)
    inside = {row.face_id for row in rows}
    faces = [face for face in project.required_rows(Face) if face.face_id in inside]
    digests = image_digests(project, faces, progress=progress)
    leaks = find_leaks(
        rows,
        subjects={face.face_id: face.subject_id for face in faces},
        videos={face.face_id: face.video_id for face in faces},
        hashes=digests,
        phashes=_phashes(project, faces, progress) if settings.near else None,
        max_bits=settings.near,
    )
    result = _result(name, bool(read_record(path).get("official")), len(inside), faces, leaks=leaks)
    if settings.drop_duplicates and leaks.identical:
        result = _write_without(project, name, rows, leaks, digests=digests, result=result)
    remember(project.root, f"check-leakage-{name}", mark, settings, result=result)
    return result


def choose_split(project: Project, name: str) -> str:
    """The split that is meant: the one named, the only one, or "default".

    Raises:
        MissingStageError: there is none of that name.
    """
    known = sorted(path.stem for path in (project.root / "manifests" / "splits").glob("*.csv"))
    chosen = name or (known[0] if len(known) == 1 else "default")
    if chosen not in known:
        project.split_rows(chosen)  # says which splits there are
    return chosen


def _phashes(project: Project, faces: Sequence[Face], progress: Progress) -> dict[str, str]:
    from fercli.vision.quality import phash

    files = CropFiles(project.root)
    progress.start("compare looks", len(faces))
    hashes = {}
    for face in faces:
        image, _ = files.read(face.path)
        if image is not None:
            hashes[face.face_id] = phash(image)
        progress.advance()
    return hashes


def _result(
    name: str, is_published: bool, num_faces: int, faces: Sequence[Face], *, leaks: "Leaks"
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
    )
    return replace(
        result,
        failed_checks=tuple(_failed(result, leaks)),
        warnings=tuple(_warnings(result, knows_subjects=knows_subjects)),
        next_command=f"fer check leakage --split {name} --drop-duplicates" if leaks.identical else "",
    )


def _once(copies: "Sequence[CopiedImage]") -> "list[CopiedImage]":
    """Each later face once, with its first copy."""
    first: dict[tuple[str, int | None], CopiedImage] = {}
    for copy in copies:
        first.setdefault((copy.face_id, copy.fold), copy)
    return list(first.values())


def _failed(result: CheckLeakageResult, leaks: "Leaks") -> list[str]:
    sentences = []
    kept = " The split is published, and kept as it is." if result.is_published else ""
    if leaks.subjects:
        names = ", ".join(list(leaks.subjects)[:3])
        sentences.append(
            f"{len(leaks.subjects)} subjects are on two sides of split '{result.split}', e.g. {names}.{kept}"
        )
    if leaks.identical:
        sentences.append(
            f"{result.identical_across_splits} faces of val or test are byte-identical to one of an earlier part of "
            f"split '{result.split}'.{kept}"
        )
    return sentences


def _warnings(result: CheckLeakageResult, *, knows_subjects: bool) -> list[str]:
    sentences = []
    if result.videos_across_splits and not knows_subjects:
        sentences.append(
            f"{result.videos_across_splits} videos are on two sides, and nobody knows who is in them: "
            "the same person may be in train and test."
        )
    if not knows_subjects:
        sentences.append("No subjects are known, so nobody can say whether one person is on two sides.")
    if result.near_across_splits:
        sentences.append(
            f"{result.near_across_splits} faces of val or test look nearly like one of an earlier part; look at some "
            "with fer trace."
        )
    return sentences


def _write_without(
    project: Project,
    name: str,
    rows: Sequence[SplitRow],
    leaks: "Leaks",
    *,
    digests: dict[str, str],
    result: CheckLeakageResult,
) -> CheckLeakageResult:
    """Write the split without its training copies under a name of its own; the first stays as it is."""
    from fercli.labels.leaks import without_copies

    new_name = f"{name}-deduplicated"
    path = project.split_path(new_name)
    if path.exists() and read_record(path).get("made_by") != "fer check leakage":
        raise UsageError(f"there is another split '{new_name}'", hint="Rename it: its files lie in manifests/splits.")
    kept = without_copies(rows, leaks, digests)
    parts = Counter(row.split for row in kept)
    with project.writing():
        write_table(path, kept, SplitRow)
        record = {
            "name": new_name,
            "made_by": "fer check leakage",
            "source": name,
            "official": False,
            "parts": {part: parts[part] for part in SPLITS if parts[part]},
            "num_dropped": len(rows) - len(kept),
            "labels_mark": labels_mark(project.rows(Label)),
            "leakage": {"identical_across_splits": 0, "identical": []},
        }
        write_record(path, record)
    return replace(
        result,
        num_dropped=len(rows) - len(kept),
        new_split=new_name,
        outputs=(project.relative(path), project.relative(path.with_suffix(".json"))),
        next_command=f"fer train --split {new_name}",
    )
