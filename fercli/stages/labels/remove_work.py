"""The work of `fer labels remove`: votes and labels as if an import had never been."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from fercli.core.commit import Commit
from fercli.core.errors import InputError
from fercli.core.names import parse_map
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Frame, Label, Vote
from fercli.core.settings import Layer, resolve_settings
from fercli.core.splits import stale_splits
from fercli.core.stage import Plan
from fercli.core.tables import read_table
from fercli.core.words import counted
from fercli.labels.formats.rawvotes import RawVotes
from fercli.labels.importing import match_votes, merge_votes
from fercli.labels.matching import FaceIndex
from fercli.labels.people import under_names
from fercli.labels.pseudonyms import without_names
from fercli.labels.vocabulary import Vocabulary
from fercli.stages.labels.annotators import LabelsChangeResult
from fercli.stages.labels.archive import (
    ImportedFile,
    import_name,
    import_place,
    numbered,
    put_imports,
    put_key,
    read_given,
    read_imports,
    read_key,
)
from fercli.stages.labels.import_work import GOLD_PATH, is_default_mark
from fercli.stages.labels.importing import LabelsImportSettings
from fercli.stages.labels.merge_work import unchanged
from fercli.stages.labels.reading import read_raw
from fercli.stages.labels.vote import vote_settings
from fercli.stages.labels.vote_work import label_counts, relabel
from fercli.stages.next_steps import after_labels


@dataclass(frozen=True, kw_only=True)
class RemovePlan(Plan):
    """Which import goes."""

    place: int
    imports: Sequence[ImportedFile]


def plan(project: Project, settings: None, number: str, *, force: bool, progress: Progress) -> RemovePlan:
    """Find the import.

    Raises:
        InputError: there is none of this number, or it came with a data set.
    """
    imports = read_imports(project)
    name = number if number.startswith("import-") else f"import-{number}"
    place = import_place(name)
    there = [import_name(one) for one, entry in enumerate(imports) if not entry.removed_at]
    if not 0 <= place < len(imports):
        raise InputError(f"{name} does not exist", hint=f"Imports here: {', '.join(there) or 'none'}.")
    if imports[place].removed_at:
        said = f"{name} was taken back before, on {imports[place].removed_at[:10]}"
        return RemovePlan(place=place, imports=imports, known=unchanged(project, said))
    if imports[place].mark == "fer add --source ferplus":
        raise InputError(
            f"{name} came with the data set that was added as ferplus", hint="Its votes go with its faces only."
        )
    return RemovePlan(
        lines=(f"take {name} back: {counted(imports[place].num_votes, 'vote')}",), place=place, imports=imports
    )


def run(
    project: Project, settings: None, plan: RemovePlan, commit: Commit, *, progress: Progress
) -> LabelsChangeResult:
    """Take its votes out, and bring back those of other imports that they had replaced."""
    imports, name = list(plan.imports), import_name(plan.place)
    replay = _Replay(project, plan.imports)
    gone = imports[plan.place]
    before = numbered(project.rows(Vote), imports)
    lost = {(vote.face_id, vote.annotator) for vote in before if vote.source == name}
    earlier, earlier_gold, warnings = replay.others(plan.place)
    restored = [vote for vote in earlier if (vote.face_id, vote.annotator) in lost]
    votes, _, _ = merge_votes((), [*(vote for vote in before if vote.source != name), *restored])
    concerned = {face_id for face_id, _ in lost}
    rule = vote_settings(project)
    labels = _labels(project, relabel(project, votes, rule, only=concerned), votes, concerned)
    imports[plan.place] = replace(
        gone, name="", sha256="", kept="", settings={}, renamed={}, guessed=False,
        removed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    if gone.kept:
        commit.delete(project.root / gone.kept)
    outputs = [put_imports(project, commit, imports), commit.table(votes, Vote), commit.table(labels, Label)]
    outputs += _put_gold(project, commit, name, earlier_gold, imports)
    _put_key(project, commit, replay, plan.place, is_sure=not warnings)
    counts = label_counts(project, labels, votes, rule)
    return LabelsChangeResult(
        **counts | {"warnings": (*warnings, *counts["warnings"], *stale_splits(project, labels))},
        num_votes=len(votes),
        num_annotators=len({vote.annotator for vote in votes}),
        num_removed=len(lost),
        num_restored=len({(vote.face_id, vote.annotator) for vote in restored}),
        outputs=tuple(outputs),
        next_command=after_labels(project, labels),
    )


class _Replay:
    """The imports, read once more from their copies."""

    def __init__(self, project: Project, imports: Sequence[ImportedFile]) -> None:
        self._project, self._imports = project, imports
        self._index = FaceIndex(project.required_rows(Face), project.rows(Frame))
        self.key = read_key(project)

    def others(self, place: int) -> tuple[list[Vote], list[Vote], list[str]]:
        """Votes and gold of all imports but one, oldest first, and what could not be read."""
        votes: list[Vote] = []
        gold: list[Vote] = []
        warnings = []
        for other, entry in enumerate(self._imports):
            if other == place or entry.removed_at or entry.mark.startswith("fer add"):
                continue
            try:
                raw, vocabulary = self.read(entry)
            except InputError as error:
                warnings.append(f"{import_name(other)} cannot be read again, so no vote of it comes back: {error}.")
                continue
            matched = match_votes(
                raw, self._index, vocabulary, pseudonyms=self.key, source=import_name(other), place=import_name(other)
            )
            votes += matched.votes
            gold += matched.gold
        return votes, gold, warnings

    def read(self, entry: ImportedFile) -> tuple[RawVotes, Vocabulary]:
        """What the copy of an import states, under the names that it was imported under.

        Raises:
            InputError: it cannot be read, or nobody knows how it was.
        """
        if not entry.settings and not is_default_mark(self._project, entry.mark):
            raise InputError("an older version did not note its settings", hint="Import the file again.")
        settings = resolve_settings(LabelsImportSettings, [Layer("the import", entry.settings)]).settings
        guess = Path(entry.name).stem if entry.guessed or not entry.settings else ""
        settings = replace(settings, annotator=settings.annotator or guess)
        if entry.format == "folder":
            settings = replace(settings, votes_format="folder")
        vocabulary = Vocabulary(self._project.classes, self._project.aliases | parse_map(settings.map))
        raw = read_raw(self._project.root / entry.kept, settings, vocabulary)
        return replace(under_names(raw, entry.renamed), guessed=guess if entry.guessed else ""), vocabulary

    def names(self, place: int) -> set[str]:
        """The names in an import."""
        entry = self._imports[place]
        try:
            raw, _ = self.read(entry)
        except InputError:
            return set()
        others = {name for names in raw.people for name in names}
        return {vote.annotator for vote in (*raw.votes, *raw.gold)} | others | set(entry.renamed)


def _labels(project: Project, labels: Sequence[Label], votes: Sequence[Vote], concerned: set[str]) -> list[Label]:
    """The labels, where faces without votes have none but what came with their data set."""
    bare = concerned - {vote.face_id for vote in votes}
    given = {label.face_id: label for label in read_given(project)}
    kept = [label for label in labels if label.face_id not in bare]
    return sorted([*kept, *(given[face_id] for face_id in bare if face_id in given)], key=lambda label: label.face_id)


def _put_gold(
    project: Project, commit: Commit, name: str, earlier: Sequence[Vote], imports: Sequence[ImportedFile]
) -> list[str]:
    path = project.root / GOLD_PATH
    if not path.exists():
        return []
    before = numbered(read_table(path, Vote), imports)
    lost = {(vote.face_id, vote.annotator) for vote in before if vote.source == name}
    restored = [vote for vote in earlier if (vote.face_id, vote.annotator) in lost]
    kept = [vote for vote in before if vote.source != name]
    return [commit.table(merge_votes((), [*kept, *restored])[0], Vote, path)]


def _put_key(project: Project, commit: Commit, replay: _Replay, place: int, *, is_sure: bool) -> None:
    """Take the names out of the key that no other import has; who returns gets the same pseudonym, and nobody else."""
    if not is_sure:
        return
    others = [one for one, entry in enumerate(read_imports(project)) if one != place and not entry.removed_at]
    gone = replay.names(place) - {name for one in others for name in replay.names(one)}
    put_key(project, commit, without_names(replay.key, gone))
