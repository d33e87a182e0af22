"""`fer labels import`: files of votes to votes.csv, and at once to labels.csv."""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fercli.core.errors import InputError, UsageError
from fercli.core.files import sha256_of
from fercli.core.memory import fingerprint, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Label, Vote
from fercli.core.tables import read_table, write_table
from fercli.stages.labels.archive import (
    ImportedFile,
    content_digest,
    keep_file,
    read_imports,
    write_imports,
    write_key,
)
from fercli.stages.labels.reading import LabelsImportSettings, Reading, guesses, read_all
from fercli.stages.labels.vote import (
    LabelCounts,
    label_counts,
    next_command,
    relabel,
    stale_warnings,
    vote_settings,
)

__all__ = ["LabelsImportResult", "LabelsImportSettings", "labels_import"]

STAGE = "labels-import"
GOLD_PATH = "labels/gold.csv"


@dataclass(frozen=True, kw_only=True)
class LabelsImportResult(LabelCounts):
    """What came in.

    Attributes:
        formats: for each file how it was read, and why.
        num_votes: votes in the files that count.
        num_new: of these on a face that the annotator had not judged before.
        num_changed: of these that replace another label of the same annotator.
        num_overwritten: votes within a file that a newer one replaced.
        num_skipped: items left out by an annotator.
        num_unmatched: votes on items that are no face of the project.
        num_conflicts: items with two labels of one annotator at once; no votes.
        num_gold: judgements marked as truth, kept apart in labels/gold.csv.
        annotators: votes of each, by pseudonym.
        self_agreement: share of faces judged twice, under two names, that got the same label, by annotator.
    """

    formats: dict[str, str] = field(default_factory=dict)
    num_votes: int = 0
    num_new: int = 0
    num_changed: int = 0
    num_overwritten: int = 0
    num_skipped: int = 0
    num_unmatched: int = 0
    num_conflicts: int = 0
    num_gold: int = 0
    annotators: dict[str, int] = field(default_factory=dict)
    self_agreement: dict[str, float] = field(default_factory=dict)


def labels_import(
    project: Project,
    settings: LabelsImportSettings,
    files: Sequence[Path],
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
) -> LabelsImportResult:
    """Read votes from files or folders, keep each file as it came, and decide the labels of the faces concerned.

    A file that was imported before with the same settings is passed over. Of several files a bad one is reported, the
    others are imported.

    Raises:
        UsageError: no file, or a `map` that is no word=class.
        MissingStageError: the project has no faces yet.
        InputError: no file can be imported; the first one's reason.
        CheckError: fer.toml says `tie = "error"`, and some faces have no majority; nothing has changed then.
    """
    if not files:
        raise UsageError("no votes to import", hint="Name files: fer labels import votes.csv")
    project.require(Face)
    digests = {path: content_digest(path) for path in files} if len(files) == 1 else _digests(files)
    known = _known(project, settings)
    todo = [path for path in files if force or digests.get(path) not in known]
    if not todo:
        return _unchanged(project, digests.values())
    # Pseudonyms are given while reading: two imports at once must not give two people the same.
    with _collector_paused(), nullcontext() if dry_run else project.writing():
        readings, failures = read_all(project, settings, todo, digests, progress=progress)
        if dry_run:
            return LabelsImportResult(is_dry_run=True, plan=tuple(_plan(readings)), failures=tuple(failures))
        return _commit(project, settings, readings, failures)


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


def _known(project: Project, settings: LabelsImportSettings) -> set[str]:
    """The files that were imported with these settings and have nothing left to match."""
    mark = _mark(project, settings)
    faces_mark = sha256_of(project.table_path(Face))
    return {
        entry.sha256
        for entry in read_imports(project)
        if entry.mark == mark and (not entry.num_unmatched or entry.faces_mark == faces_mark)
    }


def _mark(project: Project, settings: LabelsImportSettings) -> str:
    return fingerprint(settings, extra=[project.classes, project.aliases])


def _commit(
    project: Project, settings: LabelsImportSettings, readings: Sequence[Reading], failures: Sequence[Failure]
) -> LabelsImportResult:
    from fercli.labels.importing import merge_votes

    before = {(vote.face_id, vote.annotator): vote for vote in project.rows(Vote)}
    new = [vote for reading in readings for vote in reading.matched.votes]
    votes, _, num_changed = merge_votes(before.values(), new)
    rule = vote_settings(project)
    # Votes that were there already count too: a run that was killed may have left them without a label.
    labels = relabel(project, votes, rule, only={vote.face_id for vote in new})
    outputs = [_keep(project, readings)]
    outputs += [project.write_rows(votes, Vote), project.write_rows(labels, Label), *_keep_gold(project, readings)]
    _note(project, settings, readings)
    counts = label_counts(project, labels, votes, rule)
    notes = [note for reading in readings for note in guesses(reading)]
    result = LabelsImportResult(
        **counts | {"warnings": (*notes, *counts["warnings"], *stale_warnings(project, labels))},
        **_import_counts(readings),
        num_new=len(votes) - len(before),
        num_changed=num_changed,
        outputs=tuple(outputs),
        failures=tuple(failures),
        next_command=next_command(project, labels),
    )
    remember(project.root, STAGE, _tables_mark(project), settings, result=result)
    return result


def _tables_mark(project: Project) -> str:
    """Names votes and labels as they stand, so that what was said of them can be said again."""
    return fingerprint(LabelsImportSettings(), [project.table_path(Vote), project.table_path(Label)])


def _import_counts(readings: Sequence[Reading]) -> dict[str, Any]:  # fields of LabelsImportResult
    annotators: dict[str, int] = {}
    for reading in readings:
        for vote in reading.matched.votes:
            annotators[vote.annotator] = annotators.get(vote.annotator, 0) + 1
    repeats: dict[str, tuple[int, int]] = {}
    for reading in readings:
        for annotator, (number, num_alike) in reading.matched.repeats.items():
            before = repeats.get(annotator, (0, 0))
            repeats[annotator] = before[0] + number, before[1] + num_alike
    return {
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


def _keep(project: Project, readings: Sequence[Reading]) -> str:
    """Copy the files and extend the key, before votes name either."""
    for reading in readings:
        keep_file(project, reading.path, reading.kept)
    write_key(project, readings[-1].matched.pseudonyms)
    return "labels/imports"


def _note(project: Project, settings: LabelsImportSettings, readings: Sequence[Reading]) -> None:
    """Note what was imported; last, so that a run that was killed imports its files again."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    faces_mark = sha256_of(project.table_path(Face))
    entries = read_imports(project)
    for reading in readings:
        counts = len(reading.matched.votes), reading.matched.num_unmatched
        how = reading.raw.format, reading.raw.reason, now, _mark(project, settings)
        entries.append(ImportedFile(reading.path.name, reading.digest, reading.kept, *how, *counts, faces_mark))
    write_imports(project, entries)


def _keep_gold(project: Project, readings: Sequence[Reading]) -> list[str]:
    from fercli.labels.importing import merge_votes

    gold = [vote for reading in readings for vote in reading.matched.gold]
    if not gold:
        return []
    path = project.root / GOLD_PATH
    known = read_table(path, Vote) if path.exists() else []
    write_table(path, merge_votes(known, gold)[0], Vote)
    return [GOLD_PATH]


def _unchanged(project: Project, digests: Iterable[str]) -> LabelsImportResult:
    """The labels as they stand, and what still has no face in files that were imported before."""
    known = recall(project.root, STAGE, _tables_mark(project), LabelsImportResult)
    if known:
        counts = {column.name: getattr(known, column.name) for column in fields(LabelCounts)}
    else:
        labels = project.rows(Label)
        counts = label_counts(project, labels, project.rows(Vote), vote_settings(project))
        counts["next_command"] = next_command(project, labels)
    last = {entry.sha256: entry for entry in read_imports(project)}
    unmatched = {entry.name: entry.num_unmatched for digest in digests if (entry := last[digest]).num_unmatched}
    notes = [
        f"{number} votes of '{name}' are on items that are no face of this project."
        for name, number in unmatched.items()
    ]
    new = {"is_unchanged": True, "failures": (), "warnings": (*notes, *counts["warnings"])}
    return LabelsImportResult(**counts | new)


def _plan(readings: Sequence[Reading]) -> list[str]:
    return [
        f"import {len(reading.matched.votes)} votes from '{reading.path.name}' ({reading.raw.format}: "
        f"{reading.raw.reason})"
        for reading in readings
    ]
