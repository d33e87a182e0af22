"""Join faces, labels and a split into the samples that a model is trained on: the only place that does."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from fercli.core.errors import InputError, MissingStageError
from fercli.core.project import Project
from fercli.core.rows import Face, Label, Split, SplitRow
from fercli.core.runs import Run
from fercli.core.splits import check_fold, usual_split
from fercli.core.tables import read_table

_LABELLED = ("ok", "adjudicated", "given")
_OPEN = ("tie", "no_majority")


@dataclass(frozen=True)
class Samples:
    """Faces that have a crop, a label and a split, in the order of their ids.

    Args:
        root: the project; `paths` are relative to it, `pack.npy#row` names a row of a packed file.
        targets: index into `classes`.
        soft_targets: share of each class, rows sum to 1; None unless asked for.
        left_out: how many faces are not here, by reason.
    """

    root: Path
    classes: tuple[str, ...]
    face_ids: tuple[str, ...]
    paths: tuple[str, ...]
    targets: Int64[np.ndarray, " faces"]
    soft_targets: Float32[np.ndarray, "faces classes"] | None
    subject_ids: tuple[str, ...]
    video_ids: tuple[str, ...]
    splits: tuple[Split, ...]
    left_out: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.face_ids)

    def of_split(self, split: Split) -> "Samples":
        """Only the samples of one split."""
        return self.select([place for place, word in enumerate(self.splits) if word == split])

    def select(self, places: Sequence[int]) -> "Samples":
        """The samples at these places, in this order."""
        rows = np.asarray(places, dtype=np.int64)
        return replace(
            self,
            face_ids=tuple(self.face_ids[row] for row in rows),
            paths=tuple(self.paths[row] for row in rows),
            targets=self.targets[rows],
            soft_targets=None if self.soft_targets is None else self.soft_targets[rows],
            subject_ids=tuple(self.subject_ids[row] for row in rows),
            video_ids=tuple(self.video_ids[row] for row in rows),
            splits=tuple(self.splits[row] for row in rows),
        )

    def counts(self) -> dict[str, int]:
        """How many samples each class has, classes without one included."""
        numbers = np.bincount(self.targets, minlength=len(self.classes))
        return {name: int(number) for name, number in zip(self.classes, numbers, strict=True)}


def load_samples(
    root: Path,
    classes: Sequence[str],
    *,
    faces: Sequence[Face],
    labels: Sequence[Label],
    split_rows: Sequence[SplitRow],
    with_soft_targets: bool = False,
    fold: int | None = None,
) -> Samples:
    """Join faces, labels and a split; a face that lacks one of them is left out and counted by reason.

    With soft targets a face whose votes are divided (tie, no_majority) still trains, where its label's rule
    asks for it ("soft"); it never enters val or test. A k-fold split holds each face once for each fold, with the
    part it plays there; `fold` chooses one.

    Raises:
        InputError: a label is no class of the project, `fold` does not exist, or a k-fold split needs one.
    """
    label_of = {label.face_id: label for label in labels}
    split_of = _splits(split_rows, fold)
    left_out: Counter[str] = Counter()
    kept: list[tuple[Face, Label, Split]] = []
    for face in sorted(faces, key=lambda face: face.face_id):
        label, split = label_of.get(face.face_id), split_of.get(face.face_id)
        reason = _reason_to_leave(face, label, split, with_soft_targets)
        if reason or label is None or split is None:
            left_out[reason] += 1
        else:
            kept.append((face, label, split))
    shares = [_shares(label, classes) for _, label, _ in kept] if with_soft_targets else None
    return _samples(root, tuple(classes), kept, shares, left_out=dict(sorted(left_out.items())))


def _samples(
    root: Path,
    classes: tuple[str, ...],
    kept: Sequence[tuple[Face, Label, Split]],
    shares: Sequence[np.ndarray] | None,
    *,
    left_out: dict[str, int],
) -> Samples:
    targets = [_target(label, classes) for _, label, _ in kept]
    return Samples(
        root=root,
        classes=classes,
        face_ids=tuple(face.face_id for face, _, _ in kept),
        paths=tuple(face.path for face, _, _ in kept),
        targets=np.asarray(targets, dtype=np.int64),
        soft_targets=None if shares is None else np.asarray(shares, dtype=np.float32).reshape(len(kept), len(classes)),
        subject_ids=tuple(face.subject_id for face, _, _ in kept),
        video_ids=tuple(face.video_id for face, _, _ in kept),
        splits=tuple(split for _, _, split in kept),
        left_out=left_out,
    )


def _splits(rows: Sequence[SplitRow], fold: int | None) -> Mapping[str, Split]:
    check_fold(rows, fold)
    return {row.face_id: row.split for row in rows if row.fold is None or row.fold == fold}


def _reason_to_leave(face: Face, label: Label | None, split: Split | None, with_soft_targets: bool) -> str:
    if not (face.is_usable and face.path):
        return "no crop"
    if label is None:
        return "no votes"
    if label.status in _LABELLED:
        return "" if split else "not in the split"
    is_soft = with_soft_targets and label.status in _OPEN and "soft" in label.rule and any(label.probabilities.values())
    if is_soft:
        return "" if split == "train" else f"label: {label.status}"
    return f"label: {label.status}"


def _target(label: Label, classes: Sequence[str]) -> int:
    # A face without a label is only here for its soft target; its largest share counts for the training accuracy.
    name = label.label or max(classes, key=lambda name: label.probabilities.get(name, 0.0))
    if name not in classes:
        raise InputError(
            f"face '{label.face_id}' has label '{name}', which is not a class of this project",
            hint=f"Classes: {', '.join(classes)}.",
        )
    return list(classes).index(name)


def _shares(label: Label, classes: Sequence[str]) -> Float32[np.ndarray, " classes"]:
    shares = np.array([label.probabilities.get(name, 0.0) for name in classes], dtype=np.float32)
    if shares.sum() <= 0:  # given or adjudicated without votes: all on its class
        shares[_target(label, classes)] = 1.0
    # Votes for "unknown" are no class: what is left is made to sum to 1.
    shares /= shares.sum()
    return shares


def run_samples(project: Project, run: Run, split: str) -> Samples:
    """The faces of one set as the run saw them: by its own copies of labels and split, where it has them.

    Raises:
        MissingStageError: the run has no such faces.
    """
    labels, rows = run.folder / "labels.csv", run.folder / "split.csv"
    samples = load_samples(
        project.root,
        run.record.classes,
        faces=project.required_rows(Face),
        labels=read_table(labels, Label) if labels.exists() else project.required_rows(Label),
        split_rows=read_table(rows, SplitRow) if rows.exists() else project.split_rows(usual_split(project)),
    )
    part = samples.select([place for place, word in enumerate(samples.splits) if word == split])
    if not len(part):
        known = ", ".join(name for name in ("train", "val", "test") if name in samples.splits) or "none"
        raise MissingStageError(
            f"run '{run.run_id}' has no labelled face in its {split} set",
            hint=f"Sets with faces: {known}. Choose one with --split, or train on a split that has a {split} set.",
        )
    return part
