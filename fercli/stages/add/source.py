"""`fer add --source`: a public data set or class folders to faces, labels and the published split."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fercli.core.errors import InputError, ProjectError
from fercli.core.files import slug
from fercli.core.memory import fingerprint, read_state, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Vote
from fercli.core.settings import setting

if TYPE_CHECKING:
    from fercli.sources.items import SourceOptions
    from fercli.sources.registry import Source
    from fercli.stages.add.source_rows import Gathered, Written

SourceName = Literal["fer2013", "ferplus", "raf-db", "affectnet", "scfed", "sferd", "folder"]
_MAX_NAMED = 5


@dataclass(frozen=True)
class AddSourceSettings:
    """Which data set is added, and how its labels are made."""

    source: SourceName = setting("folder", "Read the path as this public data set, or as class folders.")
    name: str = setting("", "Call the data set so; its source's name otherwise.")
    mode: Literal["majority", "probability", "multi-target"] = setting(
        "majority", "Turn FERPlus' votes into labels by this rule."
    )
    votes: Path | None = setting(None, "Read FERPlus' fer2013new.csv from here.")
    seed: int = setting(0, "Draw a missing val part with this seed.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class AddSourceResult(StageResult):
    """What came in.

    Attributes:
        name: of the data set in the project.
        published_parts: rows that could be read of each part, as the set calls it.
        split: name of the split that the set brought; empty when its folders tell none.
        parts: labelled faces of each part of that split.
        num_constant: pictures of a single value.
        num_identical_groups: groups of byte-identical pictures; of these `num_conflicting_groups` have several labels.
        identical_across_splits: pictures of val and test that are byte-identical to one of an earlier part.
        left_out: rows of no class of the project, by the data set's word for it.
        num_foreign: files that are no pictures.
    """

    name: str
    num_faces: int = 0
    num_labelled: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    published_parts: dict[str, int] = field(default_factory=dict)
    split: str = ""
    parts: dict[str, int] = field(default_factory=dict)
    num_constant: int = 0
    num_identical_groups: int = 0
    num_conflicting_groups: int = 0
    identical_across_splits: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    num_foreign: int = 0


def add_source(
    project: Project,
    settings: AddSourceSettings,
    path: Path,
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
) -> AddSourceResult:
    """Bring a data set into the project: pictures under faces/, rows with status `given`, labels, splits/official.

    The pictures are copied, so that the project can be moved. A second identical call does nothing. Faces of an earlier
    call under the same name are replaced; where some that have votes would vanish, `force` is needed.

    Raises:
        InputError: nothing like the data set is at `path`, or its classes are not the project's.
        ProjectError: faces with votes would vanish.
    """
    name = slug(settings.name or (path.resolve().name if settings.source == "folder" else settings.source))
    stage = f"add-{name}"
    mark = _mark(project, settings, path)
    if not force and (known := recall(project.root, stage, mark, AddSourceResult)):
        return known
    if dry_run:
        verb = "replace" if read_state(project.root, stage) else "add"
        return AddSourceResult(name=name, is_dry_run=True, plan=(f"{verb} the faces of '{name}' from {path}",))
    with project.writing():
        result = _add(project, settings, path, name, progress=progress, force=force)
        remember(project.root, stage, mark, settings, result=result)
    return result


def _add(
    project: Project, settings: AddSourceSettings, path: Path, name: str, *, progress: Progress, force: bool
) -> AddSourceResult:
    from fercli.sources.items import SourceOptions
    from fercli.sources.registry import SOURCES
    from fercli.sources.storage import storing
    from fercli.stages.add.source_rows import gather, write_source

    source = SOURCES[settings.source]
    options = SourceOptions(project.classes, project.aliases, settings.mode, settings.votes)
    source.check_classes(options)
    faces = project.root / "faces"
    with storing(faces, name) as store:
        gathered = gather(source, path, options, store, name=name, progress=progress)
        if not gathered.items:
            raise InputError(f"'{path}' holds no picture of {source.name}", hint=f"It looks like: {source.looks_like}")
        if not force:
            _refuse_lost_votes(project, name, {gathered.face_id(item) for item in gathered.items})
        progress.start(f"writing {name}")
        places = store.move_to(faces, name)
    written = write_source(project, source, gathered, places, seed=settings.seed)
    if source.name == "ferplus":
        from fercli.stages.add.source_rows import write_ferplus_votes

        written.outputs.extend(write_ferplus_votes(project, gathered, path, options))
    return _result(source, options, gathered, written)


def _refuse_lost_votes(project: Project, name: str, face_ids: set[str]) -> None:
    voted = {vote.face_id for vote in project.rows(Vote) if vote.face_id.startswith(f"{name}/")}
    lost = sorted(voted - face_ids)
    if lost:
        more = f" and {len(lost) - _MAX_NAMED} more" if len(lost) > _MAX_NAMED else ""
        raise ProjectError(
            f"{len(lost)} faces with votes would vanish: {', '.join(lost[:_MAX_NAMED])}{more}",
            hint="Add this set under another --name, or give --force.",
        )


def _result(source: "Source", options: "SourceOptions", gathered: "Gathered", written: "Written") -> AddSourceResult:
    return AddSourceResult(
        name=gathered.name,
        num_faces=len(gathered.items),
        num_labelled=sum(1 for item in gathered.items if item.emotion),
        classes=written.classes,
        published_parts=gathered.count_parts(only_labelled=False),
        split=written.split,
        parts=written.parts,
        num_constant=gathered.num_constant,
        num_identical_groups=written.census.num_identical_groups,
        num_conflicting_groups=written.census.num_conflicting_groups,
        identical_across_splits=written.identical_across_splits,
        left_out=dict(gathered.left_out),
        num_foreign=gathered.num_foreign,
        outputs=tuple(written.outputs),
        warnings=tuple(_warnings(source, options, gathered, written)),
        failures=tuple(gathered.failures),
        next_command=f"fer train --split {written.split}" if written.split else "fer split",
    )


def _warnings(source: "Source", options: "SourceOptions", gathered: "Gathered", written: "Written") -> Iterator[str]:
    from fercli.sources.registry import differences

    counted = gathered.count_parts(only_labelled=source.counts_labelled)
    published = source.published_counts(options)
    if told := differences(counted, published):
        yield f"The counts are not the published ones of {source.name}: {'; '.join(told)}."
    if source.remark:
        yield source.remark
    if written.identical_across_splits:
        yield (
            f"The published split leaks: {written.identical_across_splits} pictures of val or test are byte-identical "
            f"to one of an earlier part. It is kept as published, and fer eval also scores without them."
        )
    if written.census.num_conflicting_groups:
        yield f"{written.census.num_conflicting_groups} groups of byte-identical pictures carry different labels."
    if gathered.num_constant:
        yield f"{gathered.num_constant} pictures are blank: all their pixels have one value."
    if gathered.left_out:
        words = ", ".join(f"{word} {number:,}" for word, number in sorted(gathered.left_out.items()))
        yield f"Rows of no class of this project were left out: {words}."
    num_open = sum(not item.emotion for item in gathered.items)
    if num_open:
        yield f"{num_open:,} of {len(gathered.items):,} faces have no label: their votes decide for no class."
    empty = [emotion for emotion, number in written.classes.items() if not number]
    if empty:
        yield f"No face has the label {', '.join(empty)}."


def _mark(project: Project, settings: AddSourceSettings, path: Path) -> str:
    """What the result depends on; files count by size and time, for reading a data set through would take too long."""
    from fercli.stages.add.source_rows import stamp_files

    stamps = [stamp_files(path), stamp_files(settings.votes) if settings.votes else None]
    return fingerprint(settings, extra=[project.classes, project.aliases, stamps])
