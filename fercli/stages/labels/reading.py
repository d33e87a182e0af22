"""Files of votes, read and matched to faces, before anything of the project changes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fercli.core.errors import FerError, InputError, UsageError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Frame
from fercli.labels.formats.rawvotes import RawVotes
from fercli.labels.formats.registry import VotesHints, read_votes
from fercli.labels.importing import MatchedVotes, adjudicated, match_votes
from fercli.labels.matching import FaceIndex
from fercli.labels.pseudonyms import ADJUDICATOR
from fercli.labels.vocabulary import Vocabulary
from fercli.stages.labels.archive import content_digest, kept_path, read_key
from fercli.stages.labels.importing import LabelsImportSettings


@dataclass(frozen=True)
class Reading:
    """One file, read and matched, but not yet part of the project."""

    path: Path
    digest: str
    kept: str
    raw: RawVotes
    matched: MatchedVotes


def read_all(
    project: Project,
    settings: LabelsImportSettings,
    paths: Sequence[Path],
    digests: dict[Path, str],
    *,
    progress: Progress,
) -> tuple[list[Reading], list[Failure]]:
    """Read every file; of several a bad one is a failure, as is an item that finds no face.

    Raises:
        InputError: no file can be read; the first one's reason.
    """
    index = FaceIndex(project.required_rows(Face), project.rows(Frame))
    vocabulary = Vocabulary(project.classes, project.aliases | _mapping(settings.map))
    key = read_key(project)
    readings: list[Reading] = []
    failures: list[Failure] = []
    errors: list[FerError] = []
    progress.start("read votes", len(paths))
    for path in paths:
        try:
            digest = digests.get(path) or content_digest(path)
            reading = _read_one(path, digest, settings, index, vocabulary=vocabulary, key=key)
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
    path: Path, digest: str, settings: LabelsImportSettings, index: Any, *, vocabulary: Any, key: dict[str, str]
) -> Reading:  # index and vocabulary are classes of fercli.labels, which is imported late
    hints = VotesHints(settings.annotator, settings.field, settings.cvat_attribute)
    raw = read_votes(path, votes_format=settings.votes_format, hints=hints)
    if settings.final:
        raw = adjudicated(raw, ADJUDICATOR)
    kept = kept_path(path, digest)
    matched = match_votes(raw, index, vocabulary, pseudonyms=key, source=kept, place=path.name)
    if not raw.votes and not raw.gold:
        raise InputError(f"{path.name}: holds no votes", hint="It may have been exported before anyone had annotated.")
    _check_matched(path.name, matched, index, is_strict=settings.strict)
    return Reading(path, digest, kept, raw, matched)


def _check_matched(name: str, matched: MatchedVotes, index: FaceIndex, *, is_strict: bool) -> None:
    unmatched = matched.unmatched
    if not unmatched:
        return
    hint = "Items are matched by face_id, file name or path; write both with: fer labels export --to csv"
    shared = [item for item in unmatched if index.is_shared_name(item)]
    if shared:
        hint = f"Several videos have a face called '{shared[0]}': write the video too, as in lesson-1/f000012-0."
    shown = ", ".join(f"'{item}'" for item in unmatched[:3])
    if not matched.votes and not matched.gold:
        raise InputError(f"{name}: none of its items is a face of this project: {shown}", hint=hint)
    if is_strict:
        raise InputError(f"{name}: {len(unmatched)} items are no face of this project: {shown}", hint=hint)


def _item_failures(reading: Reading) -> list[Failure]:
    name = reading.path.name
    failures = [Failure(f"{name}: {item}", "is no face of this project") for item in reading.matched.unmatched]
    return failures + [
        Failure(f"{name}: {text}", "two labels at once")
        for text in (*reading.raw.conflicts, *reading.matched.conflicts)
    ]


def _mapping(words: Iterable[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for word, equals, label in pairs:
        if not (word and equals and label):
            raise UsageError(f"'--map {word}' is no word=class", hint="Write --map joyful=happy,calm=neutral.")
    return {word.strip(): label.strip() for word, _, label in pairs}


def guesses(reading: Reading) -> list[str]:
    """What was guessed, as sentences."""
    return [note + "." for note in reading.raw.notes]
