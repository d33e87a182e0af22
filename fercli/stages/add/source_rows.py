"""Write the items of a public dataset as images, rows and a split of the project."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fercli.core.commit import Commit
from fercli.core.errors import InputError
from fercli.core.files import read_text, slug
from fercli.core.names import folded
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import SPLITS, Face, Label, SplitRow, Subject, Vote
from fercli.core.splits import record_text
from fercli.engine import guard
from fercli.labels.formats.ferplus import read_ferplus
from fercli.labels.importing import match_votes
from fercli.labels.leaks import Leaks, find_leaks
from fercli.labels.matching import FaceIndex
from fercli.labels.vocabulary import Vocabulary
from fercli.sources.census import Census, is_constant, picture_digest, take_census
from fercli.sources.ferplus import find_ferplus
from fercli.sources.items import SourceItem, SourceOptions
from fercli.sources.official import VAL_SHARE, OfficialSplit, official_split
from fercli.sources.registry import Source
from fercli.sources.storage import PictureStore
from fercli.stages.labels.archive import (
    ImportedFile,
    content_digest,
    import_name,
    keep_file,
    kept_path,
    numbered,
    put_imports,
    read_imports,
)

OFFICIAL = "official"


@dataclass
class Gathered:
    """What reading a dataset has brought; `pictures` are digests of the items' pixels."""

    name: str
    items: list[SourceItem] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    num_foreign: int = 0
    num_constant: int = 0

    def face_id(self, item: SourceItem) -> str:
        """The set's name and the row in its published order."""
        return f"{self.name}/{item.row:06d}"

    def count_parts(self, *, only_labelled: bool) -> dict[str, int]:
        """Items of each published part, in the order in which the parts come."""
        return dict(Counter(item.part for item in self.items if item.emotion or not only_labelled))

    def is_mine(self, face_id: str) -> bool:
        """Whether a face came with this dataset, now or earlier."""
        return face_id.startswith(f"{self.name}/")


@dataclass
class Written:
    """What a dataset has become in the project; `split` is empty when the set tells none; `faces` are its own."""

    outputs: list[str]
    faces: list[Face]
    classes: dict[str, int]
    census: Census
    split: str = ""
    parts: dict[str, int] = field(default_factory=dict)
    identical_across_splits: int = 0


def known_rows(project: Project, source: Source, name: str) -> dict[str, int]:
    """The number of each file that came in before, by its path; of sets with a published order none is needed."""
    if source.emotions:
        return {}
    mine = [face for face in project.rows(Face) if face.face_id.startswith(f"{name}/") and face.origin]
    return {face.origin: face.source_row for face in mine if face.source_row is not None}


def gather(
    source: Source,
    path: Path,
    options: SourceOptions,
    store: PictureStore,
    *,
    name: str,
    known: Mapping[str, int],
    progress: Progress,
) -> Gathered:
    """Read the whole set, its pictures into `store`; files that are `known` keep their number, so that votes stay.

    Raises:
        InputError: nothing like the dataset is at `path`.
    """
    gathered = Gathered(name)
    last = max(known.values(), default=-1)
    progress.start(f"reading {name}")
    for batch in source.read(path, options, _decode):
        if batch.num_total is not None and not gathered.items:
            progress.start(f"reading {name}", batch.num_total)
        gathered.failures += batch.failures
        gathered.left_out.update(batch.left_out)
        gathered.num_foreign += batch.num_foreign
        for read, image in zip(batch.items, batch.images, strict=True):
            item = read
            if known:
                row = known.get(read.origin)
                last += row is None
                item = dataclasses.replace(read, row=last if row is None else row)
            store.add(item, image)
            gathered.items.append(item)
            gathered.pictures.append(picture_digest(image))
            gathered.num_constant += is_constant(image)
        progress.advance(len(batch.items))
    return gathered


def _decode(data: bytes, *, name: str) -> np.ndarray:
    """As `vision.images.decode_image`, in a process that may die of it."""
    image: np.ndarray = guard.call("fercli.stages.add.reading:decode", data, name, name=name)
    return image


def put_source(
    project: Project, commit: Commit, source: Source, gathered: Gathered, places: Sequence[str], *, seed: int
) -> Written:
    """Commit faces, labels and the published split; rows of other sets and videos stay.

    Args:
        project: where to.
        commit: what is written with it.
        source: the dataset.
        gathered: its items.
        places: where each picture lies below faces/.
        seed: draws val, where the set publishes none.
    """
    items = gathered.items
    ids = _subject_ids(project, gathered)
    faces = _faces(project, gathered, places, ids)
    outputs = [
        f"faces/{places[0].partition('#')[0].partition('/')[0]}",
        *_put_rows(project, commit, gathered, faces, ids),
    ]
    counts = Counter(item.emotion for item in items)
    emotions = [item.emotion for item in items]
    census = take_census(gathered.pictures, emotions)
    written = Written(outputs, faces, {emotion: counts[emotion] for emotion in project.classes}, census)
    parts = [item.part for item in items]
    roles = source.roles(set(parts))
    generator = np.random.default_rng(seed)
    made = official_split(parts, emotions, gathered.pictures, roles=roles, generator=generator)
    if len({split for split in made.splits if split}) > 1:
        _put_split(project, commit, gathered, made, written, seed=seed)
    return written


def put_ferplus_votes(
    project: Project, commit: Commit, gathered: Gathered, faces: Sequence[Face], path: Path, options: SourceOptions
) -> list[str]:
    """Keep FERPlus' file as it is, and its ten votes a face as rows, for agreement and the human ceiling."""
    _, votes_path = find_ferplus(path, options)
    digest, imports = content_digest(votes_path), read_imports(project)
    mark = "fer add --source ferplus"
    place = next((place for place, old in enumerate(imports) if (old.sha256, old.mark) == (digest, mark)), len(imports))
    kept = kept_path(votes_path, place)
    keep_file(project, commit, votes_path, kept)
    vocabulary = Vocabulary(project.classes, project.aliases)
    raw = read_ferplus(votes_path)
    matched = match_votes(raw, FaceIndex(faces), vocabulary, pseudonyms={}, source=import_name(place))
    how = raw.format, raw.reason, datetime.now(UTC).isoformat(timespec="seconds"), mark
    counts = len(matched.votes), matched.num_unmatched
    entry = ImportedFile(votes_path.name, digest, kept, *how, *counts, faces_mark="")
    listed = put_imports(project, commit, [*imports[:place], entry, *imports[place + 1 :]])
    others = [vote for vote in project.rows(Vote) if not gathered.is_mine(vote.face_id)]
    return [kept, listed, commit.table([*numbered(others, imports), *matched.votes], Vote)]


def _subject_ids(project: Project, gathered: Gathered) -> dict[str, str]:
    """The id of each person in the data set; one that a person of another set or video has gets the set's name.

    Raises:
        InputError: two people would have one id.
    """
    taken = {face.subject_id for face in project.rows(Face) if not gathered.is_mine(face.face_id)} - {""}
    ids: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for subject in dict.fromkeys(item.subject for item in gathered.items if item.subject):
        name = slug(subject)
        if folded(spelled.setdefault(name, subject)) != folded(subject):
            raise InputError(
                f"'{spelled[name]}' and '{subject}' would both be subject '{name}'",
                hint="Give them names that differ in letters or digits.",
            )
        ids[subject] = f"{gathered.name}-{name}" if name in taken else name
    return ids


def _faces(project: Project, gathered: Gathered, places: Sequence[str], ids: Mapping[str, str]) -> list[Face]:
    """Rows of the faces; where the set does not tell a subject, one that somebody assigned stays."""
    before = {face.face_id: face for face in project.rows(Face) if gathered.is_mine(face.face_id)}
    assigned = {
        face_id: old.subject_id
        for item in gathered.items
        if (old := before.get(face_id := gathered.face_id(item))) and old.origin in ("", item.origin)
    }
    return [
        Face(
            gathered.face_id(item), "", "", path=f"faces/{place}", status="given", source_row=item.row,
            origin=item.origin, subject_id=ids.get(item.subject) or assigned.get(gathered.face_id(item), ""),
        )
        for item, place in zip(gathered.items, places, strict=True)
    ]  # fmt: skip


def _put_rows(
    project: Project, commit: Commit, gathered: Gathered, mine: Sequence[Face], ids: Mapping[str, str]
) -> list[str]:
    faces = [face for face in project.rows(Face) if not gathered.is_mine(face.face_id)]
    labels = {label.face_id: label for label in project.rows(Label)}
    # The last word of a person on a face outlives the set's own label.
    decided = {face_id for face_id, label in labels.items() if label.status == "adjudicated"}
    labels = {face_id: row for face_id, row in labels.items() if face_id in decided or not gathered.is_mine(face_id)}
    for item in gathered.items:
        face_id = gathered.face_id(item)
        labels.setdefault(face_id, _label(face_id, item))
    outputs = [commit.table([*faces, *mine], Face), commit.table(labels.values(), Label)]
    named = sorted(set(ids.values()))
    if named:
        others = [subject for subject in project.rows(Subject) if subject.subject_id not in named]
        outputs.append(commit.table([*others, *_subjects(mine, named)], Subject))
    return outputs


def _subjects(mine: Sequence[Face], named: Sequence[str]) -> list[Subject]:
    """Rows of the people that came with a data set."""
    faces: dict[str, list[Face]] = {name: [] for name in named}
    for face in sorted(mine, key=lambda face: face.face_id):
        if face.subject_id in faces:
            faces[face.subject_id].append(face)
    return [Subject(name, "given", len(faces[name]), 0, "", faces[name][0].face_id) for name in named]


def _label(face_id: str, item: SourceItem) -> Label:
    return Label(
        face_id,
        item.emotion,
        item.status,
        item.rule,
        item.num_votes,
        item.agreement,
        item.entropy,
        dict(item.shares),
    )


def _put_split(
    project: Project, commit: Commit, gathered: Gathered, made: OfficialSplit, written: Written, *, seed: int
) -> None:
    """Commit splits/official.csv and, beside it, how it was made and what it leaks."""
    path = project.split_path(OFFICIAL)
    mine = [
        SplitRow(gathered.face_id(item), split)
        for item, split in zip(gathered.items, made.splits, strict=True)
        if split
    ]
    leaks = _leaks(gathered, mine)
    others = project.split_rows(OFFICIAL) if project.has(path) else []
    rows = [*(row for row in others if not gathered.is_mine(row.face_id)), *mine]
    outputs = [commit.table(rows, SplitRow, path)]
    counts = Counter(row.split for row in mine)
    written.split = OFFICIAL
    written.parts = {split: counts[split] for split in SPLITS if counts[split]}
    written.identical_across_splits = leaks.identical_across_splits
    beside = path.with_suffix(".json")
    record = _record(beside)
    record["sets"][gathered.name] = {
        "parts": made.from_parts,
        "val": _how_val(made, seed),
        "num_faces": written.parts,
    }
    record["source"] = sorted(record["sets"])
    identical = [copy for copy in record["leakage"]["identical"] if not gathered.is_mine(copy["face_id"])]
    identical += [dataclasses.asdict(copy) for copy in leaks.identical]
    record["leakage"] = {"identical_across_splits": len(identical), "identical": identical}
    written.outputs += [*outputs, commit.text(beside, record_text(record))]


def _leaks(gathered: Gathered, rows: Sequence[SplitRow]) -> Leaks:
    hashes = {
        gathered.face_id(item): picture.hex() for item, picture in zip(gathered.items, gathered.pictures, strict=True)
    }
    return find_leaks(rows, hashes=hashes)


def _record(path: Path) -> dict[str, Any]:  # JSON values
    """What stands beside the split already, for a project with several sets."""
    record: dict[str, Any] = {"name": OFFICIAL, "made_by": "fer add --source", "official": True, "sets": {}}
    if path.exists():
        record = json.loads(read_text(path))
    record.setdefault("leakage", {"identical": []})
    return record


def _how_val(made: OfficialSplit, seed: int) -> dict[str, Any]:  # JSON values
    if not made.drawn_val:
        return {"is_published": "val" in made.from_parts.values()}
    rule = "drawn from train, class by class, byte-identical pictures together"
    return {"is_published": False, "rule": rule, "share": VAL_SHARE, "seed": seed}
