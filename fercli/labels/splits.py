"""Split faces into train, val and test, whole groups together, classes in proportion, the same for the same seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Float, Int

from fercli.core.errors import InputError
from fercli.core.rows import SPLITS, Split, SplitRow
from fercli.core.words import counted
from fercli.labels.allocation import allocate_groups


@dataclass(frozen=True)
class Faces:
    """What a split is made of: faces with the label each has and the group that must stay together.

    Args:
        face_ids: in any order; the split does not depend on it.
        labels: of each face; the empty string is a class of its own.
        groups: of each face, e.g. its subject.
        group_name: what a group is, for messages: subject, video, session or face.
    """

    face_ids: Sequence[str]
    labels: Sequence[str]
    groups: Sequence[str]
    group_name: str = "subject"

    def __post_init__(self) -> None:
        if not len(self.face_ids) == len(self.labels) == len(self.groups):
            raise ValueError("faces, labels and groups differ in number")


def make_split(
    faces: Faces,
    *,
    ratios: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    stratify: bool = True,
) -> list[SplitRow]:
    """Share groups out to train, val and test so that classes and groups come near the ratios.

    Args:
        faces: what to split.
        ratios: shares of train, val and test; they add up to 1, and a zero leaves that split out.
        seed: of the search.
        stratify: keep the classes near the ratios as well, not only faces and groups.

    Raises:
        InputError: fewer groups than splits that shall not be empty, or impossible ratios.
    """
    _check_ratios(ratios)
    wanted = [place for place, ratio in enumerate(ratios) if ratio > 0]
    table, names, group_of_face = _group_table(faces, stratify)
    if len(names) < len(wanted):
        raise _too_few(faces.group_name, len(names), [SPLITS[place] for place in wanted])
    shares = np.array([ratios[place] for place in wanted])
    chosen = allocate_groups(table, shares / shares.sum(), np.random.default_rng(seed))
    split_of_group = [SPLITS[wanted[place]] for place in chosen.tolist()]
    rows = [
        SplitRow(face_id, split_of_group[group])
        for face_id, group in zip(faces.face_ids, group_of_face.tolist(), strict=True)
    ]
    return sorted(rows, key=lambda row: row.face_id)


def make_folds(
    faces: Faces, num_folds: int, *, val_ratio: float = 0.15, seed: int = 0, stratify: bool = True
) -> list[SplitRow]:
    """K-fold: every group is test once; val is drawn from the rest of each fold. One row for each face and fold.

    Args:
        faces: what to split.
        num_folds: at least 2; as many as groups is leave-one-out.
        val_ratio: share of val in all faces; 0 leaves it out.
        seed: of the search.
        stratify: keep the classes near the ratios.

    Raises:
        InputError: fewer groups than folds, or too few left for train and val.
    """
    if num_folds < 2 or not 0 <= val_ratio < 1:
        raise InputError(
            f"cannot make {counted(num_folds, 'fold')} with a validation share of {val_ratio:g}",
            hint="Use at least 2 folds.",
        )
    table, names, group_of_face = _group_table(faces, stratify)
    if len(names) < num_folds:
        raise InputError(
            f"{counted(num_folds, 'fold')} need {num_folds} {faces.group_name}s, and there are {len(names)}",
            hint=f"Use --kfold {len(names)} or less, or a finer --group.",
        )
    shares = np.full(num_folds, 1 / num_folds)
    fold_of_group = allocate_groups(table, shares, np.random.default_rng(seed))
    fold_of_face = fold_of_group[group_of_face]
    rows: list[SplitRow] = []
    for fold in range(num_folds):
        rows += _one_fold(
            faces, fold_of_face, fold, val_ratio * num_folds / (num_folds - 1), draw=(seed + fold, stratify)
        )
    return sorted(rows, key=lambda row: (row.face_id, cast(int, row.fold)))


def leave_one_out(faces: Faces, *, val_ratio: float = 0.15, seed: int = 0, stratify: bool = True) -> list[SplitRow]:
    """K-fold with as many folds as groups: each is test alone, once."""
    return make_folds(faces, len(set(faces.groups)), val_ratio=val_ratio, seed=seed, stratify=stratify)


def merge_groups(groups: Sequence[str], *, identical: Sequence[str]) -> list[str]:
    """Groups joined where they share an image, so that no split can have copies on two sides.

    Args:
        groups: of each face.
        identical: of each face, the same word for the same image; the empty string for an image that is not known.
    """
    parent = {group: group for group in groups}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    first: dict[str, str] = {}
    for group, image in zip(groups, identical, strict=True):
        if image:
            one, other = sorted((root(group), root(first.setdefault(image, group))))
            parent[other] = one
    return [root(group) for group in groups]


def split_counts(rows: Sequence[SplitRow], values: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Faces of each split by a value, such as their label; faces without one are not counted."""
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        value = values.get(row.face_id, "")
        if value:
            inner = counts.setdefault(row.split, {})
            inner[value] = inner.get(value, 0) + 1
    return {split: dict(sorted(counts[split].items())) for split in SPLITS if split in counts}


def _one_fold(
    faces: Faces, fold_of_face: Int[np.ndarray, " faces"], fold: int, val_ratio: float, *, draw: tuple[int, bool]
) -> Iterator[SplitRow]:
    rest = np.flatnonzero(fold_of_face != fold).tolist()
    columns = ([column[place] for place in rest] for column in (faces.face_ids, faces.labels, faces.groups))
    face_ids, labels, groups = columns
    inner = Faces(face_ids, labels, groups, faces.group_name)
    ratios = (1 - val_ratio, val_ratio, 0.0)
    for row in make_split(inner, ratios=ratios, seed=draw[0], stratify=draw[1]):
        yield SplitRow(row.face_id, row.split, fold)
    for place in np.flatnonzero(fold_of_face == fold).tolist():
        yield SplitRow(faces.face_ids[place], "test", fold)


def _group_table(
    faces: Faces, stratify: bool
) -> tuple[Float[np.ndarray, "groups classes"], list[str], Int[np.ndarray, " faces"]]:
    """Faces by group and class, the groups' names, and the group of each face."""
    names, group_of_face = np.unique(np.array(faces.groups, dtype=object).astype(str), return_inverse=True)
    labels = np.array(faces.labels, dtype=object).astype(str) if stratify else np.zeros(len(faces.face_ids), dtype=str)
    classes, label_of_face = np.unique(labels, return_inverse=True)
    flat = group_of_face * max(len(classes), 1) + label_of_face
    table = np.bincount(flat, minlength=len(names) * len(classes)).reshape(len(names), len(classes))
    return table.astype(np.float64), names.tolist(), group_of_face


def _check_ratios(ratios: tuple[float, float, float]) -> None:
    if min(ratios) < 0 or abs(sum(ratios) - 1) > 1e-6 or ratios[0] == 0:
        written = ",".join(f"{ratio:g}" for ratio in ratios)
        raise InputError(f"invalid --ratios {written}", hint="Use train,val,test proportions that sum to 1.")


def _too_few(group_name: str, num_groups: int, wanted: Sequence[Split]) -> InputError:
    names = ", ".join(wanted)
    found = f"there is {num_groups} {group_name}" if num_groups == 1 else f"there are {num_groups} {group_name}s"
    return InputError(
        f"a split into {names} needs at least {len(wanted)} {group_name}s, and {found}",
        hint=f"Add videos of more {group_name}s, drop a set (--ratios 0.8,0,0.2), or change --group.",
    )
