"""How a split was made, kept as JSON beside it, and whether the labels are still those it was made from."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fercli.core.errors import InputError
from fercli.core.files import read_text, replace_text
from fercli.core.project import Project
from fercli.core.rows import Label, SplitRow
from fercli.core.tables import read_table

Record = dict[str, Any]  # any JSON value


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


def stale_splits(project: Project, labels: Sequence[Label]) -> tuple[str, ...]:
    """A sentence for each split of ours that was made from other labels than these."""
    usable = {label.face_id for label in labels if is_usable(label)}
    mark = labels_mark(labels)
    sentences = []
    for path in sorted((project.root / "manifests" / "splits").glob("*.csv")):
        made_from = read_record(path).get("labels_mark")
        if made_from and made_from != mark:
            inside = {row.face_id for row in read_table(path, SplitRow)}
            sentences.append(_stale(path.stem, len(usable - inside), len(inside - usable)))
    return tuple(sentences)


def _stale(name: str, num_missing: int, num_lost: int) -> str:
    changes = []
    if num_missing:
        changes.append(f"{num_missing} labelled faces are not in it")
    if num_lost:
        changes.append(f"{num_lost} of its faces have no label any more")
    change = " and ".join(changes) or "faces of it have other labels"
    option = "" if name == "default" else f" --name {name}"
    return f"Split '{name}' is out of date ({change}). Run `fer split{option}` again."


def check_fold(rows: Iterable[SplitRow], fold: int | None) -> None:
    """Refuse a split of folds of which none is chosen, and a fold that the split has not.

    Raises:
        InputError: with the folds that there are.
    """
    folds = sorted({row.fold for row in rows if row.fold is not None})
    known = ", ".join(map(str, folds)) or "none"
    if fold is None and folds:
        raise InputError(f"the split has {len(folds)} folds", hint=f"Choose one with --fold; folds: {known}.")
    if fold is not None and fold not in folds:
        raise InputError(f"the split has no fold {fold}", hint=f"Folds: {known}. Make some with: fer split --kfold 5.")
