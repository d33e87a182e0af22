"""Read vote files and match them to faces, before anything of the project changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fercli.core.errors import FerError, InputError
from fercli.core.names import parse_map
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Frame
from fercli.core.words import counted
from fercli.labels.formats.rawvotes import RawVotes
from fercli.labels.formats.registry import VotesHints, read_votes
from fercli.labels.importing import MatchedVotes, adjudicated, match_votes
from fercli.labels.matching import FaceIndex
from fercli.labels.people import People
from fercli.labels.pseudonyms import ADJUDICATOR
from fercli.labels.vocabulary import Vocabulary
from fercli.stages.labels.archive import (
    ImportedFile,
    content_digest,
    import_name,
    kept_path,
    read_imports,
    read_key,
)
from fercli.stages.labels.importing import LabelsImportSettings


@dataclass(frozen=True)
class Reading:
    """One file, read and matched, but not yet part of the project; `place` is its place among the imports."""

    path: Path
    digest: str
    place: int
    kept: str
    raw: RawVotes
    matched: MatchedVotes
    renamed: dict[str, str]
    notes: list[str]


@dataclass(frozen=True)
class Readings:
    """All files of a call: those read, what is wrong with others and with items, and who is who now."""

    read: list[Reading]
    failures: list[Failure]
    people: People


def read_all(
    project: Project,
    settings: LabelsImportSettings,
    paths: Sequence[Path],
    digests: dict[Path, str],
    *,
    progress: Progress,
) -> Readings:
    """Read every file; of several a bad one is a failure, as is an item that finds no face.

    Raises:
        InputError: no file can be read; the first one's reason.
    """
    index = FaceIndex(project.required_rows(Face), project.rows(Frame))
    vocabulary = Vocabulary(project.classes, project.aliases | parse_map(settings.map))
    imports = read_imports(project)
    people = known_people(project, imports)
    readings: list[Reading] = []
    failures: list[Failure] = []
    errors: list[FerError] = []
    progress.start("read votes", len(paths))
    for path in paths:
        try:
            digest = digests.get(path) or content_digest(path)
            raw = read_raw(path, settings, vocabulary)
            _check_guess(path, digest, raw, imports, readings)
            if not raw.guessed and any(one.digest == digest for one in readings):
                continue  # the same file under another name
            place = len(imports) + len(readings)
            reading = _match(path, digest, place, raw, settings, index, vocabulary, people)
        except InputError as error:
            errors.append(error)
            failures.append(Failure(path.name, error.message))
        else:
            readings.append(reading)
            failures += _item_failures(reading, index)
        progress.advance()
    if errors and not readings:
        raise errors[0]
    return Readings(readings, failures, people)


def read_raw(path: Path, settings: LabelsImportSettings, vocabulary: Vocabulary) -> RawVotes:
    """What a file states, by these settings.

    Raises:
        InputError: it cannot be read, or holds no votes.
    """
    hints = VotesHints(settings.annotator, settings.field, settings.cvat_attribute, vocabulary.is_class)
    raw = read_votes(path, votes_format=settings.votes_format, hints=hints)
    if settings.final:
        raw = adjudicated(raw, ADJUDICATOR)
    if not raw.votes and not raw.gold and not raw.conflicts:
        holds = f": {raw.holds}" if raw.holds else ""
        raise InputError(f"{path.name}: holds no votes{holds}", hint=raw.advice or "Export it when people have voted.")
    try:
        vocabulary.meanings_of((vote.label for vote in (*raw.votes, *raw.gold)), path.name)
    except InputError as error:
        raise InputError(error.message, hint=f"{raw.advice}. {error.hint}" if raw.advice else error.hint) from error
    return raw


def known_people(project: Project, imports: Sequence[ImportedFile]) -> People:
    """Who is who by the imports so far; exports of Label Studio are read once more for judgements that they share."""
    people = People(read_key(project))
    for entry in imports:
        path = project.root / entry.kept
        if entry.format.startswith("label-studio") and not entry.removed_at and path.is_file():
            try:
                raw = read_votes(path, votes_format="label-studio", hints=_hints_of(entry))
            except InputError:
                continue  # an older import whose settings are not known any more
            people.remember(raw.entries, entry.renamed)
    return people


def match(
    raw: RawVotes, place: int, index: FaceIndex, vocabulary: Vocabulary, people: People
) -> tuple[MatchedVotes, dict[str, str], list[str]]:
    """Raw votes as rows of persons; which names were taken for others, and what is to be said of that."""
    raw, renamed, notes = people.identify(raw, import_name(place))
    matched = match_votes(raw, index, vocabulary, pseudonyms=people.key, source=import_name(place))
    return matched, renamed, notes


def _match(
    path: Path,
    digest: str,
    place: int,
    raw: RawVotes,
    settings: LabelsImportSettings,
    index: FaceIndex,
    vocabulary: Vocabulary,
    people: People,
) -> Reading:
    matched, renamed, notes = match(raw, place, index, vocabulary, people)
    _check_matched(path.name, matched, raw, index, is_strict=settings.strict)
    if settings.annotator and not settings.final and people.key.get(settings.annotator) not in _voters(matched):
        notes.append("--annotator was not needed: the file names all its annotators")
    for option, value, form in (
        ("field", settings.field, "label-studio"),
        ("cvat-attribute", settings.cvat_attribute, "cvat"),
    ):
        if value and not raw.format.startswith(form):
            notes.append(f"--{option} had no effect: the file was read as {raw.format}")
    return Reading(path, digest, place, kept_path(path, place), raw, matched, renamed, notes)


def _voters(matched: MatchedVotes) -> set[str]:
    return {vote.annotator for vote in (*matched.votes, *matched.gold)}


def _hints_of(entry: ImportedFile) -> VotesHints:
    return VotesHints(entry.settings.get("annotator", ""), entry.settings.get("field", ""))


def _check_guess(
    path: Path, digest: str, raw: RawVotes, imports: Sequence[ImportedFile], readings: Sequence[Reading]
) -> None:
    """Refuse a second file whose mere name would stand for an annotator: nobody knows whether that is the same person.

    Raises:
        InputError: an earlier file of this name was read so.
    """
    if not raw.guessed:
        return
    earlier = [
        import_name(place)
        for place, entry in enumerate(imports)
        if entry.guessed and not entry.removed_at and Path(entry.name).stem == raw.guessed and entry.sha256 != digest
    ]
    earlier += [import_name(one.place) for one in readings if one.raw.guessed == raw.guessed and one.digest != digest]
    if earlier:
        raise InputError(
            f"{path.name}: names no annotator, and an earlier file of this name ({earlier[0]}) named none either",
            hint="Are they one person or two? Name who voted with --annotator NAME.",
        )


def _check_matched(name: str, matched: MatchedVotes, raw: RawVotes, index: FaceIndex, *, is_strict: bool) -> None:
    unmatched = _amiss(matched, raw, index)
    if not unmatched:
        return
    hint = "Items are matched by face_id, file name or path; write both with: fer labels export --to csv"
    shared = [item for item in unmatched if index.is_shared_name(item)]
    if shared:
        hint = (
            f"Several faces are called '{shared[0]}': write the folder too, or the face id, as in lesson-1/f000012-0."
        )
    shown = ", ".join(f"'{item}'" for item in unmatched[:3])
    if not matched.votes and not matched.gold and not matched.conflicts:
        raise InputError(f"{name}: none of its items is a face of this project: {shown}", hint=hint)
    if is_strict:
        raise InputError(
            f"{name}: {counted(len(unmatched), 'item is', 'items are')} no face of this project: {shown}", hint=hint
        )


def _amiss(matched: MatchedVotes, raw: RawVotes, index: FaceIndex) -> list[str]:
    """The items without a face; of an export with every frame of a video not those of frames that were not kept."""
    if not raw.is_dense or not matched.votes:
        return matched.unmatched
    return [item for item in matched.unmatched if index.has_frame(item)]


def _item_failures(reading: Reading, index: FaceIndex) -> list[Failure]:
    name = reading.path.name
    amiss = _amiss(reading.matched, reading.raw, index)
    failures = [Failure(f"{name}: {item}", index.why_not(item)) for item in amiss]
    if num_others := len(reading.matched.unmatched) - len(amiss):
        reading.notes.append(
            f"{counted(num_others, 'box lies', 'boxes lie')} on frames of the video that this project did not keep"
        )
    return failures + [
        Failure(f"{name}: {text}", "two labels at once")
        for text in (*reading.raw.conflicts, *reading.matched.conflicts)
    ]


def notes_of(reading: Reading) -> list[str]:
    """What was guessed or passed over, as sentences."""
    notes = [*reading.raw.notes, *reading.notes]
    if reading.raw.guessed:
        word = next(iter(_voters(reading.matched)), "nobody")
        notes.append(f"names no annotator; the file's name stands for one ({word}), else use --annotator")
    return [f"{reading.path.name}: {note.removeprefix(reading.path.name + ': ')}." for note in notes]
