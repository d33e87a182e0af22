"""`fer labels import`: files of votes to votes.csv, and at once to labels.csv."""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fercli.core.errors import FerError, InputError, UsageError
from fercli.core.files import sha256_of
from fercli.core.memory import fingerprint, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Label, Vote
from fercli.core.settings import setting
from fercli.core.tables import read_table, write_table
from fercli.stages.labels_archive import (
    ImportedFile,
    content_digest,
    keep_file,
    kept_path,
    read_imports,
    read_key,
    write_imports,
    write_key,
)
from fercli.stages.labels_vote import (
    LabelCounts,
    label_counts,
    next_command,
    relabel,
    stale_warnings,
    vote_settings,
)

if TYPE_CHECKING:
    from fercli.labels.importing import MatchedVotes
    from fercli.labels.rawvotes import RawVotes

STAGE = "labels-import"
GOLD_PATH = "labels/gold.csv"


@dataclass(frozen=True)
class LabelsImportSettings:
    """How files of votes are read."""

    votes_format: Literal["auto", "csv", "label-studio", "cvat", "ferplus", "folder"] = setting(
        "auto", "Read the files as this format.", option="from"
    )
    annotator: str = setting("", "Name who voted, where a file does not say.")
    map: tuple[str, ...] = setting((), "Take words for classes: joyful=happy,calm=neutral.")
    field: str = setting("", "Read this control of Label Studio, where there are several.")
    cvat_attribute: str = setting("", "Read this attribute of CVAT's boxes instead of tags.")
    final: bool = setting(False, "Take the votes as the last word on their faces.")
    strict: bool = setting(False, "Refuse a file with items that are no face of the project.")


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


@dataclass(frozen=True)
class _Reading:
    """One file, read and matched, but not yet part of the project."""

    path: Path
    digest: str
    kept: str
    raw: "RawVotes"
    matched: "MatchedVotes"


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
        return _unchanged(project)
    with _collector_paused():
        readings, failures = _read_all(project, settings, todo, digests, progress)
        if dry_run:
            return LabelsImportResult(is_dry_run=True, plan=tuple(_plan(readings)), failures=tuple(failures))
        with project.writing():
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


def _read_all(
    project: Project,
    settings: LabelsImportSettings,
    paths: Sequence[Path],
    digests: dict[Path, str],
    progress: Progress,
) -> tuple[list[_Reading], list[Failure]]:
    from fercli.labels.matching import FaceIndex
    from fercli.labels.vocabulary import Vocabulary

    index = FaceIndex(project.required_rows(Face))
    vocabulary = Vocabulary(project.classes, project.aliases | _mapping(settings.map))
    key = read_key(project)
    readings: list[_Reading] = []
    failures: list[Failure] = []
    errors: list[FerError] = []
    progress.start("read votes", len(paths))
    for path in paths:
        try:
            digest = digests.get(path) or content_digest(path)
            reading = _read_one(path, digest, settings, index, vocabulary, key)
        except InputError as error:
            errors.append(error)
            failures.append(Failure(path.name, error.message))
        else:
            key = reading.matched.pseudonyms
            readings.append(reading)
            failures += _item_failures(reading)
        progress.advance()
    if errors and not readings:
        raise errors[0]
    return readings, failures


def _read_one(
    path: Path, digest: str, settings: LabelsImportSettings, index: Any, vocabulary: Any, key: dict[str, str]
) -> _Reading:  # index and vocabulary are classes of fercli.labels, which is imported late
    from fercli.labels.importing import adjudicated, match_votes
    from fercli.labels.pseudonyms import ADJUDICATOR
    from fercli.labels.votes import VotesHints, read_votes

    hints = VotesHints(settings.annotator, settings.field, settings.cvat_attribute)
    raw = read_votes(path, votes_format=settings.votes_format, hints=hints)
    if settings.final:
        raw = adjudicated(raw, ADJUDICATOR)
    kept = kept_path(path, digest)
    matched = match_votes(raw, index, vocabulary, pseudonyms=key, source=kept, place=path.name)
    _check_matched(path, settings, raw, matched)
    return _Reading(path, digest, kept, raw, matched)


def _check_matched(path: Path, settings: LabelsImportSettings, raw: "RawVotes", matched: "MatchedVotes") -> None:
    if not raw.votes and not raw.gold:
        raise InputError(f"{path.name}: holds no votes", hint="Was it exported before anybody had voted?")
    unmatched = matched.unmatched
    if not unmatched:
        return
    hint = "Items are matched by face_id, file name or path; write both with: fer labels export --to csv"
    shown = ", ".join(f"'{item}'" for item in unmatched[:3])
    if not matched.votes and not matched.gold:
        raise InputError(f"{path.name}: none of its items is a face of this project: {shown}", hint=hint)
    if settings.strict:
        raise InputError(f"{path.name}: {len(unmatched)} items are no face of this project: {shown}", hint=hint)


def _item_failures(reading: _Reading) -> list[Failure]:
    name = reading.path.name
    failures = [Failure(f"{name}: {item}", "is no face of this project") for item in reading.matched.unmatched]
    return failures + [Failure(f"{name}: {text}", "two labels at once") for text in reading.raw.conflicts]


def _mapping(words: Iterable[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for word, equals, label in pairs:
        if not (word and equals and label):
            raise UsageError(f"'--map {word}' is no word=class", hint="Write --map joyful=happy,calm=neutral.")
    return {word.strip(): label.strip() for word, _, label in pairs}


def _commit(
    project: Project, settings: LabelsImportSettings, readings: Sequence[_Reading], failures: Sequence[Failure]
) -> LabelsImportResult:
    from fercli.labels.importing import merge_votes

    before = {(vote.face_id, vote.annotator): vote for vote in project.rows(Vote)}
    new = [vote for reading in readings for vote in reading.matched.votes]
    votes, _, num_changed = merge_votes(before.values(), new)
    touched = {vote.face_id for vote in votes if before.get((vote.face_id, vote.annotator)) != vote}
    rule = vote_settings(project)
    labels = relabel(project, votes, rule, only=touched)
    outputs = [_keep(project, settings, readings)]
    outputs += [project.write_rows(votes, Vote), project.write_rows(labels, Label), *_keep_gold(project, readings)]
    counts = label_counts(project, labels, votes, rule)
    notes = [note for reading in readings for note in _notes(reading)]
    result = LabelsImportResult(
        **counts | {"warnings": (*notes, *counts["warnings"], *stale_warnings(project, labels))},
        **_import_counts(readings),
        num_new=len(votes) - len(before),
        num_changed=num_changed,
        outputs=tuple(outputs),
        failures=tuple(failures),
        next_command=next_command(labels),
    )
    remember(project.root, STAGE, _mark(project, settings), settings, result)
    return result


def _import_counts(readings: Sequence[_Reading]) -> dict[str, Any]:  # fields of LabelsImportResult
    annotators: dict[str, int] = {}
    for reading in readings:
        for vote in reading.matched.votes:
            annotators[vote.annotator] = annotators.get(vote.annotator, 0) + 1
    repeats = [entry for reading in readings for entry in reading.matched.repeats.items()]
    return {
        "formats": {reading.path.name: f"{reading.raw.format}: {reading.raw.reason}" for reading in readings},
        "num_votes": sum(len(reading.matched.votes) for reading in readings),
        "num_overwritten": sum(reading.matched.num_overwritten for reading in readings),
        "num_skipped": sum(reading.matched.num_skipped for reading in readings),
        "num_unmatched": sum(reading.matched.num_unmatched for reading in readings),
        "num_conflicts": sum(len(reading.raw.conflicts) for reading in readings),
        "num_gold": sum(len(reading.matched.gold) for reading in readings),
        "annotators": dict(sorted(annotators.items())),
        "self_agreement": {annotator: num_alike / number for annotator, (number, num_alike) in repeats},
    }


def _keep(project: Project, settings: LabelsImportSettings, readings: Sequence[_Reading]) -> str:
    """Copy the files, extend the key, and note what was imported."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    faces_mark = sha256_of(project.table_path(Face))
    entries = read_imports(project)
    for reading in readings:
        keep_file(project, reading.path, reading.kept)
        counts = len(reading.matched.votes), reading.matched.num_unmatched
        how = reading.raw.format, reading.raw.reason, now, _mark(project, settings)
        entries.append(ImportedFile(reading.path.name, reading.digest, reading.kept, *how, *counts, faces_mark))
    write_key(project, readings[-1].matched.pseudonyms)
    write_imports(project, entries)
    return "labels/imports"


def _keep_gold(project: Project, readings: Sequence[_Reading]) -> list[str]:
    from fercli.labels.importing import merge_votes

    gold = [vote for reading in readings for vote in reading.matched.gold]
    if not gold:
        return []
    path = project.root / GOLD_PATH
    known = read_table(path, Vote) if path.exists() else []
    write_table(path, merge_votes(known, gold)[0], Vote)
    return [GOLD_PATH]


def _notes(reading: _Reading) -> list[str]:
    """What was guessed, as sentences."""
    return [note + "." for note in reading.raw.notes]


def _unchanged(project: Project) -> LabelsImportResult:
    labels, votes = project.rows(Label), project.rows(Vote)
    counts = label_counts(project, labels, votes, vote_settings(project))
    return LabelsImportResult(**counts, is_unchanged=True, next_command=next_command(labels))


def _plan(readings: Sequence[_Reading]) -> list[str]:
    return [
        f"import {len(reading.matched.votes)} votes from '{reading.path.name}' ({reading.raw.format}: "
        f"{reading.raw.reason})"
        for reading in readings
    ]
