"""The work of `fer labels import`: votes are read, merged with those that are there, and decide labels."""

import gc
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fercli.core.commit import Commit
from fercli.core.errors import InputError, UsageError
from fercli.core.files import sha256_of
from fercli.core.memory import fingerprint, recall
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Label, Vote
from fercli.core.settings import plain_settings
from fercli.core.stage import Plan
from fercli.core.tables import read_table
from fercli.core.words import counted
from fercli.labels.importing import merge_votes, under_one_name
from fercli.labels.people import People
from fercli.stages.labels.archive import (
    ImportedFile,
    content_digest,
    import_name,
    keep_file,
    keep_given,
    numbered,
    put_imports,
    put_key,
    read_imports,
)
from fercli.stages.labels.importing import LabelsImportResult, LabelsImportSettings
from fercli.stages.labels.reading import Reading, Readings, notes_of, read_all
from fercli.stages.labels.vote import LabelCounts, vote_settings
from fercli.stages.labels.vote_work import label_counts, relabel

# Face, annotator and time name one vote.
VoteName = tuple[str, str, str]
STAGE = "labels-import"
GOLD_PATH = "labels/gold.csv"


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Millions of rows are made and none is garbage; looking for some takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _digests(files: Sequence[Path]) -> dict[Path, str]:
    digests = {}
    for path in files:
        try:
            digests[path] = content_digest(path)
        except InputError:
            continue  # said once more, and as a failure, when the file is read
    return digests


def _known(project: Project, settings: LabelsImportSettings) -> set[tuple[str, str]]:
    """The files that were imported with these settings and have nothing left to match."""
    mark = _mark(project, settings)
    faces_mark = sha256_of(project.table_path(Face))
    return {
        entry.key
        for entry in read_imports(project)
        if not entry.removed_at and entry.mark == mark and (not entry.num_unmatched or entry.faces_mark == faces_mark)
    }


def is_default_mark(project: Project, mark: str) -> bool:
    """Whether an import with this mark was read with the built-in settings."""
    return mark == _mark(project, LabelsImportSettings())


def _mark(project: Project, settings: LabelsImportSettings) -> str:
    return fingerprint(settings, extra=[project.classes, project.aliases])


@dataclass(frozen=True, kw_only=True)
class ImportPlan(Plan):
    """What the files hold; of several files a bad one is a failure, the others are imported."""

    readings: Readings


def plan(
    project: Project, settings: LabelsImportSettings, files: Sequence[Path], *, force: bool, progress: Progress
) -> ImportPlan:
    """Read the files that were not imported before with the same settings.

    Raises:
        UsageError: no file, or an invalid `map`.
        MissingStageError: the project has no faces yet.
        InputError: no file can be imported; the first one's reason.
    """
    if not files:
        raise UsageError("no files given", hint="Usage: fer labels import votes.csv")
    project.require(Face)
    digests = {path: content_digest(path) for path in files} if len(files) == 1 else _digests(files)
    known = _known(project, settings)
    todo = [path for path in _once(files, digests) if force or _key_in(known, path, digests) is None]
    if not todo:
        nothing = Readings([], [], People({}))
        keys = [key for path in digests if (key := _key_in(known, path, digests))]
        return ImportPlan(known=_unchanged(project, keys), readings=nothing)
    with _collector_paused():
        readings = read_all(project, settings, todo, digests, progress=progress)
    notes = [note for reading in readings.read for note in notes_of(reading)]
    return ImportPlan(
        lines=_lines(readings.read), warnings=notes, counts={"failures": tuple(readings.failures)}, readings=readings
    )


def _once(files: Sequence[Path], digests: dict[Path, str]) -> list[Path]:
    """The files without those of the same name that hold the same as one before."""
    first: dict[object, Path] = {}
    for path in files:
        first.setdefault((digests.get(path, path), path.stem), path)
    return list(first.values())


def _key_in(known: Container[tuple[str, str]], path: Path, digests: Mapping[Path, str]) -> tuple[str, str] | None:
    """By which key a file was imported before; its name counts where it stood for the annotator."""
    digest = digests.get(path, "")
    return next((key for key in ((digest, ""), (digest, path.stem)) if key in known), None)


def run(
    project: Project, settings: LabelsImportSettings, plan: ImportPlan, commit: Commit, *, progress: Progress
) -> LabelsImportResult:
    """Keep each file as it came, and decide the labels of the faces concerned.

    Raises:
        CheckError: fer.toml says `tie = "error"`, and some faces have no majority; nothing has changed then.
    """
    with _collector_paused():
        return fold(project, settings, plan, commit)


def fold(
    project: Project,
    settings: LabelsImportSettings,
    plan: ImportPlan,
    commit: Commit,
    *,
    withdrawn: Container[VoteName] = (),
) -> LabelsImportResult:
    """The same; votes that were taken back since they were imported, `withdrawn`, go."""
    readings, people = plan.readings.read, plan.readings.people
    known = under_one_name(numbered(project.rows(Vote), read_imports(project)), people.merged)
    gone = {vote.face_id for vote in known if name_of(vote) in withdrawn}
    stays, _, _ = merge_votes((), [vote for vote in known if name_of(vote) not in withdrawn])
    new = under_one_name([vote for reading in readings for vote in reading.matched.votes], people.merged)
    votes, _, num_changed = merge_votes(stays, new)
    rule = vote_settings(project)
    # Votes that were there already count too: a run that was killed may have left them without a label.
    moved = {vote.face_id for vote in known if vote.annotator in people.merged.values()} if people.merged else set()
    labels = relabel(project, votes, rule, only=moved | gone | {vote.face_id for vote in new})
    keep_given(project, commit, labels)
    outputs = [_keep(project, commit, readings, people), commit.table(votes, Vote), commit.table(labels, Label)]
    outputs += _keep_gold(project, commit, readings, people)
    _note(project, commit, settings, readings)
    commit.words = [import_name(reading.place) for reading in readings]
    counts = label_counts(project, labels, votes, rule)
    result = LabelsImportResult(
        **counts,
        **_import_counts(readings, people),
        num_new=len(votes) - len(stays),
        num_changed=num_changed,
        outputs=tuple(outputs),
    )
    # A file's name may be a person's, and so may what was guessed of it: that is said, and not remembered.
    forms = {word: reading.raw.format for word, reading in zip(commit.words, readings, strict=True)}
    commit.kept = replace(result, imports=dict.fromkeys(commit.words, ""), formats=forms)
    notes = [note for reading in readings for note in notes_of(reading)]
    return replace(result, warnings=(*notes, *result.warnings), failures=tuple(plan.readings.failures))


def name_of(vote: Vote) -> VoteName:
    """What tells a vote from every other."""
    return vote.face_id, vote.annotator, vote.created_at


def _import_counts(readings: Sequence[Reading], people: People) -> dict[str, Any]:  # fields of LabelsImportResult
    annotators: dict[str, int] = {}
    for reading in readings:
        for vote in under_one_name(reading.matched.votes, people.merged):
            annotators[vote.annotator] = annotators.get(vote.annotator, 0) + 1
    repeats: dict[str, tuple[int, int]] = {}
    for reading in readings:
        for annotator, (number, num_alike) in reading.matched.repeats.items():
            before = repeats.get(annotator, (0, 0))
            repeats[annotator] = before[0] + number, before[1] + num_alike
    return {
        "imports": {reading.path.name: import_name(reading.place) for reading in readings},
        "formats": {reading.path.name: f"{reading.raw.format}: {reading.raw.reason}" for reading in readings},
        "num_votes": sum(len(reading.matched.votes) for reading in readings),
        "num_overwritten": sum(reading.matched.num_overwritten for reading in readings),
        "num_skipped": sum(reading.matched.num_skipped for reading in readings),
        "num_unmatched": sum(reading.matched.num_unmatched for reading in readings),
        "num_conflicts": sum(len(reading.raw.conflicts) + len(reading.matched.conflicts) for reading in readings),
        "num_gold": sum(len(reading.matched.gold) for reading in readings),
        "annotators": dict(sorted(annotators.items())),
        "self_agreement": {annotator: num_alike / number for annotator, (number, num_alike) in repeats.items()},
    }


def _keep(project: Project, commit: Commit, readings: Sequence[Reading], people: People) -> str:
    """Copy the files and extend the key."""
    for reading in readings:
        keep_file(project, commit, reading.path, reading.kept)
    if readings:
        put_key(project, commit, people.key)
    return "labels/imports"


def _note(project: Project, commit: Commit, settings: LabelsImportSettings, readings: Sequence[Reading]) -> list[str]:
    """Note what was imported; each file's number comes back, that of its first import: "import-1"."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    faces_mark = sha256_of(project.table_path(Face))
    entries = read_imports(project)
    for reading in readings:
        counts = len(reading.matched.votes), reading.matched.num_unmatched
        how = reading.raw.format, reading.raw.reason, now, _mark(project, settings)
        entries.append(
            ImportedFile(
                reading.path.name, reading.digest, reading.kept, *how, *counts, faces_mark,
                settings=plain_settings(settings), guessed=bool(reading.raw.guessed), renamed=reading.renamed,
            )
        )  # fmt: skip
    put_imports(project, commit, entries)
    keys = [entry.key for entry in entries]
    return [import_name(keys.index(entry.key)) for entry in entries[len(entries) - len(readings) :]]


def _keep_gold(project: Project, commit: Commit, readings: Sequence[Reading], people: People) -> list[str]:
    gold = under_one_name([vote for reading in readings for vote in reading.matched.gold], people.merged)
    path = project.root / GOLD_PATH
    known = read_table(path, Vote) if path.exists() else []
    if not gold and not (known and people.merged):
        return []
    known = under_one_name(numbered(known, read_imports(project)), people.merged)
    return [commit.table(merge_votes(known, gold)[0], Vote, path)]


def _unchanged(project: Project, keys: Collection[tuple[str, str]]) -> LabelsImportResult:
    """The labels as they stand, and what still has no face in files that were imported before."""
    mark = fingerprint(LabelsImportSettings(), [project.table_path(Vote), project.table_path(Label)])
    known = recall(project.root, STAGE, mark, LabelsImportResult)
    if known:
        counts = {column.name: getattr(known, column.name) for column in fields(LabelCounts)}
    else:
        labels = project.rows(Label)
        counts = label_counts(project, labels, project.rows(Vote), vote_settings(project))
    last = {entry.key: entry for entry in read_imports(project) if not entry.removed_at}
    unmatched = {entry.name: entry.num_unmatched for key in keys if (entry := last[key]).num_unmatched}
    notes = [
        f"'{name}': {counted(number, 'vote matches', 'votes match')} no face of this project."
        for name, number in unmatched.items()
    ]
    places = {entry.key: place for place, entry in reversed([*enumerate(read_imports(project))])}
    names = {last[key].name: import_name(places[key]) for key in keys}
    new = {"is_unchanged": True, "failures": (), "imports": names, "warnings": (*notes, *counts["warnings"])}
    return LabelsImportResult(**counts | new)


def _lines(readings: Sequence[Reading]) -> list[str]:
    return [
        f"import {counted(len(reading.matched.votes), 'vote')} from '{reading.path.name}' ({reading.raw.format}: "
        f"{reading.raw.reason})"
        for reading in readings
    ]
