"""How a split was made, kept as JSON beside it, and whether labels and subjects are still those it was made from."""

import dataclasses
import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fercli.core.errors import InputError
from fercli.core.files import read_text, replace_text
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label, SplitRow
from fercli.core.tables import read_table
from fercli.core.words import counted

Record = dict[str, Any]  # any JSON value
Result = TypeVar("Result", bound=StageResult)
# How the sentences begin, those of older versions included.
_STALE = re.compile(r"Split '[^']*' is out of date|Subjects have changed since a split was made")


def choose_split(project: Project, name: str = "") -> str:
    """The split in use: the one named, the only one, or "default".

    Raises:
        MissingStageError: there is none of that name, or several and none is called "default".
    """
    known = project.splits()
    chosen = name or (known[0] if len(known) == 1 else "default")
    if chosen not in known:
        project.split_rows(chosen)  # says which splits there are
    return chosen


def usual_split(project: Project) -> str:
    """As `choose_split` without a name, but of several splits without a "default" it is the published one.

    Raises:
        MissingStageError: there is none, or several and none of them is called "default" or "official".
    """
    known = project.splits()
    is_published = len(known) > 1 and "default" not in known and "official" in known
    return "official" if is_published else choose_split(project)


def read_record(path: Path) -> Record:
    """What stands beside the split at `path`; empty where there is nothing readable."""
    try:
        record = json.loads(read_text(path.with_suffix(".json")))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def record_text(record: Record) -> str:
    """The text of the JSON beside a split."""
    return json.dumps(record, indent=1, ensure_ascii=False, default=str) + "\n"


def write_record(path: Path, record: Record) -> None:
    """Put the record beside the split at `path`."""
    replace_text(path.with_suffix(".json"), record_text(record))


def labels_mark(labels: Iterable[Label]) -> str:
    """One short name for which faces have which label."""
    lines = sorted(f"{label.face_id} {label.label}\n" for label in labels if is_usable(label))
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:20]


def is_usable(label: Label) -> bool:
    """Whether a face with this label can be learned from: it has one, or soft targets were asked for."""
    return bool(label.label) or label.rule.endswith("+soft")


def groups_mark(face_ids: Iterable[str], subjects: Mapping[str, str]) -> str:
    """One short name for which of these faces show the same subject, whatever the subjects are called."""
    first: dict[str, str] = {}
    lines = [
        f"{face_id} {first.setdefault(subject, face_id)}\n"
        for face_id in sorted(set(face_ids))
        if (subject := subjects.get(face_id, ""))
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:20]


def again_command(name: str, record: Record) -> str:
    """The command that makes a split again, with its options; a split of an older version did not note all of them."""
    if _is_command(command := str(record.get("command", ""))):
        return command
    words = ["fer split"]
    group = record.get("group", "subject")
    words += [f"--group {group}"] * (group not in ("subject", "file"))
    if number := record.get("kfold"):
        words.append(f"--kfold {number}" if record.get("ratios") else "--leave-one-group-out")
    words += ["--from FILE"] * (group == "file") + ["--no-stratify"] * (record.get("stratify") is False)
    words += [f"--seed {seed}"] if (seed := record.get("seed")) else []
    words += ["--accept-unknown-subjects"] * bool(record.get("accept_unknown_subjects"))
    return " ".join([*words, *[f"--name {name}"] * (name != "default")])


def why_stale(
    project: Project, name: str, labels: Sequence[Label], faces: Sequence[Face] | None = None
) -> tuple[str, ...]:
    """Why a split of ours is no longer that of these labels and of the present subjects; nothing where it is.

    Args:
        project: has the split.
        name: of the split.
        labels: all of them, as they are or will be.
        faces: the same; read only where needed when left out.
    """
    path = project.split_path(name)
    record = read_record(path)
    made_from = record.get("labels_mark")
    if not made_from or not project.has(path):
        return ()
    rows = read_table(path, SplitRow)
    inside = {row.face_id for row in rows}
    reasons = []
    if made_from != labels_mark(labels):
        usable = {label.face_id for label in labels if is_usable(label)}
        reasons.append(_changes(len(usable - inside), len(inside - usable)))
    if record.get("group") == "subject":
        faces = project.rows(Face) if faces is None else faces
        subjects = {face.face_id: face.subject_id for face in faces}
        known = record.get("groups_mark")
        if known and known != groups_mark(inside, subjects):
            reasons.append("subjects have changed since it was made")
        elif not known and (number := _num_torn(rows, subjects)):
            reasons.append(f"{counted(number, 'subject is', 'subjects are')} in more than one of its sets")
    return tuple(reasons)


def _is_command(text: str) -> bool:
    """Whether a shell would take it as one call of `fer split`: a project may come from anybody."""
    try:
        words = shlex.split(text)
    except ValueError:
        return False
    return words[:2] == ["fer", "split"] and shlex.join(words) == text


def stale_splits(
    project: Project, labels: Sequence[Label], faces: Sequence[Face] | None = None, *, but: str = ""
) -> tuple[str, ...]:
    """A sentence for each split of ours, but one, that is not of these labels and of the present subjects."""
    sentences = []
    for path in sorted((project.root / "manifests" / "splits").glob("*.csv")):
        if path.stem != but and (reasons := why_stale(project, path.stem, labels, faces)):
            again = again_command(path.stem, read_record(path))
            sentences.append(f"Split '{path.stem}' is out of date ({' and '.join(reasons)}). Run `{again}` again.")
    return tuple(sentences)


def with_stale(
    result: Result, project: Project, labels: Sequence[Label], faces: Sequence[Face] | None = None, *, but: str = ""
) -> Result:
    """A result, new or of an earlier call, that says which splits are out of date now."""
    said = tuple(sentence for sentence in result.warnings if not _STALE.match(sentence))
    return dataclasses.replace(result, warnings=(*said, *stale_splits(project, labels, faces, but=but)))


def _num_torn(rows: Iterable[SplitRow], subjects: Mapping[str, str]) -> int:
    """Subjects in more than one set of a split that did not note its groups, as those of older versions."""
    sets: dict[tuple[str, int | None], set[str]] = {}
    for row in rows:
        if subject := subjects.get(row.face_id, ""):
            sets.setdefault((subject, row.fold), set()).add(row.split)
    return len({subject for (subject, _), found in sets.items() if len(found) > 1})


def _changes(num_missing: int, num_lost: int) -> str:
    changes = []
    if num_missing:
        changes.append(counted(num_missing, "labelled face is not in it", "labelled faces are not in it"))
    if num_lost:
        changes.append(f"{num_lost:,} of its faces {'has' if num_lost == 1 else 'have'} no label any more")
    return " and ".join(changes) or "faces of it have other labels"


def check_fold(rows: Iterable[SplitRow], fold: int | None) -> None:
    """Refuse a split of folds of which none is chosen, and a fold that the split has not.

    Raises:
        InputError: with the folds that there are.
    """
    folds = sorted({row.fold for row in rows if row.fold is not None})
    known = ", ".join(map(str, folds)) or "none"
    if fold is None and folds:
        raise InputError(
            f"the split has {counted(len(folds), 'fold')}",
            hint=f"Train on each: `fer train --fold all`. Folds: {known}.",
        )
    if fold is not None and fold not in folds:
        raise InputError(f"the split has no fold {fold}", hint=f"Folds: {known}. Make some with: fer split --kfold 5.")
