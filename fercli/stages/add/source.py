"""Do the work of `fer add --source`: read a public dataset or class folders as faces, labels and the official split."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fercli.core.batch import Batch
from fercli.core.commit import Commit
from fercli.core.errors import InputError, ProjectError
from fercli.core.files import sha256_of
from fercli.core.memory import read_state
from fercli.core.names import name_pattern, parse_map
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Video, Vote
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.sources.items import SourceOptions
from fercli.sources.registry import SOURCES, Source, differences
from fercli.sources.storage import PictureStore
from fercli.stages.add import AddSourceResult, AddSourceSettings, dataset_name
from fercli.stages.add.source_rows import Gathered, Written, gather, known_rows, put_ferplus_votes, put_source
from fercli.stages.next_steps import train_command

_MAX_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class SourcePlan(Plan):
    """Which dataset is read, from where, under which name."""

    path: Path
    name: str
    source: Source
    options: SourceOptions


@dataclass(frozen=True)
class Read:
    """A dataset whose images wait in the batch's room; `places` says where each will lie below faces/."""

    gathered: Gathered
    places: list[str]
    batch: Batch


def plan(project: Project, settings: AddSourceSettings, path: Path, *, force: bool, progress: Progress) -> SourcePlan:
    """Check that the dataset fits the project.

    Raises:
        InputError: its classes are not the project's.
        ProjectError: its name is that of a video.
    """
    name = dataset_name(settings, path)
    if any(video.video_id == name for video in project.rows(Video)):
        raise ProjectError(f"'{name}' is a video of this project", hint="Choose another --name for the dataset.")
    verb = "replace" if read_state(project.root, f"add-{name}") else "add"
    source = SOURCES[settings.source]
    name_pattern(settings.subject_from)
    words = parse_map(settings.map, project.classes)
    options = SourceOptions(
        project.classes, project.aliases | words, settings.mode, settings.votes, subject_from=settings.subject_from
    )
    return SourcePlan(
        lines=(f"{verb} the faces of '{name}' from {path}",),
        counts={"name": name},
        path=path,
        name=name,
        source=source,
        options=options,
    )


def run(project: Project, settings: AddSourceSettings, plan: SourcePlan, *, progress: Progress, batch: Batch) -> Read:
    """Read the dataset; its images are copied, so that the project can be moved.

    Raises:
        InputError: nothing like the dataset is at the path.
    """
    plan.source.check_classes(plan.options)
    batch.clear()
    store = PictureStore(batch.room / "faces", plan.name)
    try:
        known = known_rows(project, plan.source, plan.name)
        gathered = gather(plan.source, plan.path, plan.options, store, name=plan.name, known=known, progress=progress)
        if not gathered.items:
            problem = f"no images of {plan.source.name} found in '{plan.path}'"
            raise InputError(problem, hint=f"Expected: {plan.source.looks_like}")
        return Read(gathered, store.finish(), batch)
    finally:
        store.abandon()


def fold(
    project: Project, settings: AddSourceSettings, plan: SourcePlan, read: Read, commit: Commit, *, force: bool
) -> AddSourceResult:
    """Give the images their places, and the tables their rows: status `given`, labels, splits/official.

    Faces of an earlier call under the same name are replaced.

    Raises:
        ProjectError: some of them that have votes would be removed, and `force` was not given.
    """
    gathered = read.gathered
    if not force:
        _refuse_lost_votes(project, plan.name, {gathered.face_id(item) for item in gathered.items})
    for path in _stale(project, plan.name, set(read.places)):
        commit.delete(path)
    # A pack is one file, so a second call sees at once that it was damaged; many files would be read through.
    pack = read.batch.room / "faces" / f"{plan.name}.npy"
    commit.reads = {f"faces/{pack.name}": sha256_of(pack)} if pack.exists() else {}
    read.batch.commit_to(commit)
    written = put_source(project, commit, plan.source, gathered, read.places, seed=settings.seed)
    if plan.source.name == "ferplus":
        written.outputs.extend(put_ferplus_votes(project, commit, gathered, written.faces, plan.path, plan.options))
    return _result(plan.source, plan.options, gathered, written)


def _stale(project: Project, name: str, places: set[str]) -> Iterator[Path]:
    """The images of an earlier call under this name that have no place any more."""
    faces = project.root / "faces"
    pack, files = faces / f"{name}.npy", faces / name
    is_packed = any("#" in place for place in places)
    if is_packed and files.is_dir():
        yield files
    elif not is_packed:
        yield from [pack] if pack.exists() else []
        yield from (path for path in sorted(files.rglob("*")) if path.is_file() and _below(path, faces) not in places)


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _refuse_lost_votes(project: Project, name: str, face_ids: set[str]) -> None:
    voted = {vote.face_id for vote in project.rows(Vote) if vote.face_id.startswith(f"{name}/")}
    lost = sorted(voted - face_ids)
    if lost:
        more = f" and {len(lost) - _MAX_NAMED} more" if len(lost) > _MAX_NAMED else ""
        raise ProjectError(
            f"this would remove {counted(len(lost), 'face that has', 'faces that have')} votes: "
            f"{', '.join(lost[:_MAX_NAMED])}{more}",
            hint="Use another --name, or --force.",
        )


def _result(source: Source, options: SourceOptions, gathered: Gathered, written: Written) -> AddSourceResult:
    return AddSourceResult(
        name=gathered.name,
        num_faces=len(gathered.items),
        num_labelled=sum(1 for item in gathered.items if item.emotion),
        classes=written.classes,
        published_parts={part: n for part, n in gathered.count_parts(only_labelled=False).items() if part},
        split=written.split,
        parts=written.parts,
        num_constant=gathered.num_constant,
        num_identical_groups=written.census.num_identical_groups,
        num_conflicting_groups=written.census.num_conflicting_groups,
        identical_across_splits=written.identical_across_splits,
        left_out=dict(gathered.left_out),
        num_foreign=gathered.num_foreign,
        num_subjects=len({face.subject_id for face in written.faces if face.subject_id}),
        num_without_subject=sum(not face.subject_id for face in written.faces) if options.subject_from else 0,
        outputs=tuple(written.outputs),
        warnings=tuple(_warnings(source, options, gathered, written)),
        failures=tuple(gathered.failures),
        next_command=_next_command(gathered, written),
    )


def _next_command(gathered: Gathered, written: Written) -> str:
    """The official split is trained on; without one, the faces are split by their subjects where they have some."""
    if not any(item.emotion for item in gathered.items):
        return "fer labels export --to csv"
    if written.split:
        return train_command(written.split)
    return "fer split" if any(face.subject_id for face in written.faces) else "fer split --group none"


def _warnings(source: Source, options: SourceOptions, gathered: Gathered, written: Written) -> Iterator[str]:
    here = gathered.count_parts(only_labelled=source.counts_labelled)
    published = source.published_counts(options)
    if told := differences(here, published):
        yield f"The counts are not the published ones of {source.name}: {'; '.join(told)}."
    if source.remark:
        yield source.remark
    if written.identical_across_splits:
        yield (
            "The published split leaks: "
            f"{counted(written.identical_across_splits, 'picture of val or test is', 'pictures of val or test are')} "
            f"byte-identical to one of an earlier part. It is kept as published, and fer eval also scores without them."
        )
    if written.census.num_conflicting_groups:
        yield (
            f"Different labels on byte-identical pictures: {counted(written.census.num_conflicting_groups, 'group')}."
        )
    if gathered.num_constant:
        yield f"{counted(gathered.num_constant, 'picture is', 'pictures are')} blank: all their pixels have one value."
    if gathered.left_out:
        words = ", ".join(f"{word} {number:,}" for word, number in sorted(gathered.left_out.items()))
        yield f"Rows of no class of this project were left out: {words}."
    yield from _subject_warnings(source, options, gathered)
    num_open = sum(not item.emotion for item in gathered.items)
    if num_open:
        yield (
            f"{num_open:,} of {counted(len(gathered.items), 'face has', 'faces have')} no label: their "
            f"votes decide for no class."
        )
    empty = [emotion for emotion, number in written.classes.items() if not number]
    if empty:
        yield f"No face has the label {', '.join(empty)}."


def _subject_warnings(source: Source, options: SourceOptions, gathered: Gathered) -> Iterator[str]:
    num_nobody = sum(not item.subject for item in gathered.items) if options.subject_from else 0
    if num_nobody:
        first = next(item.where for item in gathered.items if not item.subject)
        yield (
            f"{counted(num_nobody, 'face has', 'faces have')} no subject: their names do not match the "
            f"pattern, as '{first}'."
        )
    num_inner = sum(item.origin.count("/") > 1 + bool(item.part) for item in gathered.items)
    if num_inner and source.name == "folder" and not options.subject_from:
        yield (
            f"{counted(num_inner, 'image lies', 'images lie')} in folders below the class folders, which "
            f"were not read; "
            "if these are people: --subject-from folder."
        )
