from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError
from fercli.core.rows import Face, Label, SplitRow
from fercli.data.samples import Samples, load_samples

CLASSES = ("happy", "sad")


def face(name: str, **changes: object) -> Face:
    plain = Face(name, "", "v", path=f"faces/{name}.png", status="given", subject_id="s1")
    return replace(plain, **changes)  # type: ignore[arg-type]  # any column


def label(name: str, word: str = "happy", **changes: object) -> Label:
    plain = Label(name, word, "ok", "majority", 3, probabilities={"happy": 2 / 3, "sad": 0.0})
    return replace(plain, **changes)  # type: ignore[arg-type]  # any column


def join(faces: list[Face], labels: list[Label], rows: list[SplitRow], **more: object) -> Samples:
    return load_samples(Path(), CLASSES, faces=faces, labels=labels, split_rows=rows, **more)  # type: ignore[arg-type]


def test_join_follows_face_ids_not_row_order() -> None:
    samples = join(
        [face("b"), face("a")],
        [label("b", "sad"), label("a", "happy")],
        [SplitRow("b", "test"), SplitRow("a", "train")],
    )
    assert samples.face_ids == ("a", "b")
    assert samples.targets.tolist() == [0, 1]
    assert samples.splits == ("train", "test")
    assert samples.paths == ("faces/a.png", "faces/b.png")


def test_every_left_out_face_has_its_reason() -> None:
    faces = [face("a"), face("b", status="dropped"), face("c"), face("d"), face("e"), face("f", path="")]
    labels = [label("a"), label("c", "", status="tie"), label("e"), label("f")]
    samples = join(faces, labels, [SplitRow(name, "train") for name in "abcdf"])
    assert samples.face_ids == ("a",)
    assert samples.left_out == {"label: tie": 1, "no crop": 2, "no votes": 1, "not in the split": 1}


def test_soft_targets_are_the_votes_without_unknown_and_sum_to_one() -> None:
    labels = [label("a", probabilities={"happy": 0.5, "sad": 0.25})]
    samples = join([face("a")], labels, [SplitRow("a", "train")], with_soft_targets=True)
    assert samples.soft_targets is not None
    np.testing.assert_allclose(samples.soft_targets, [[2 / 3, 1 / 3]], rtol=1e-6)


def test_given_label_without_votes_is_a_one_hot_soft_target() -> None:
    labels = [label("a", "sad", status="given", probabilities={})]
    samples = join([face("a")], labels, [SplitRow("a", "train")], with_soft_targets=True)
    assert samples.soft_targets is not None
    assert samples.soft_targets.tolist() == [[0.0, 1.0]]


def test_divided_votes_train_softly_but_never_enter_val_or_test() -> None:
    divided = {"status": "tie", "rule": "majority tie=soft", "probabilities": {"happy": 0.5, "sad": 0.5}}
    labels = [label(name, "", **divided) for name in "abc"]
    rows = [SplitRow("a", "train"), SplitRow("b", "val"), SplitRow("c", "test")]
    samples = join([face(name) for name in "abc"], labels, rows, with_soft_targets=True)
    assert samples.face_ids == ("a",)
    assert samples.left_out == {"label: tie": 2}


def test_divided_votes_do_not_train_with_hard_targets() -> None:
    labels = [label("a", "", status="tie", rule="majority tie=soft")]
    assert len(join([face("a")], labels, [SplitRow("a", "train")])) == 0


def test_face_plays_the_part_that_the_chosen_fold_gives_it() -> None:
    rows = [
        *(SplitRow(name, part, 0) for name, part in zip("abc", ("train", "val", "test"), strict=True)),
        *(SplitRow(name, part, 1) for name, part in zip("abc", ("test", "train", "val"), strict=True)),
    ]
    faces, labels = [face(name) for name in "abc"], [label(name) for name in "abc"]
    assert join(faces, labels, rows, fold=0).splits == ("train", "val", "test")
    assert join(faces, labels, rows, fold=1).splits == ("test", "train", "val")


def test_split_into_folds_needs_one_of_them() -> None:
    with pytest.raises(InputError, match="the split has 2 folds") as caught:
        join([], [], [SplitRow("a", "train", 0), SplitRow("a", "test", 1)])
    assert "--fold" in caught.value.hint


def test_unknown_fold_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="no fold 7") as caught:
        join([], [], [SplitRow("a", "train", 0), SplitRow("b", "train", 1)], fold=7)
    assert "0, 1" in caught.value.hint


def test_label_outside_the_classes_is_refused() -> None:
    with pytest.raises(InputError, match="'angry', which is not a class"):
        join([face("a")], [label("a", "angry")], [SplitRow("a", "train")])


def test_split_selection_keeps_rows_together() -> None:
    rows = [SplitRow("a", "train"), SplitRow("b", "val"), SplitRow("c", "train")]
    samples = join([face(name) for name in "abc"], [label("a"), label("b"), label("c", "sad")], rows)
    train = samples.of_split("train")
    assert (train.face_ids, train.targets.tolist(), train.counts()) == (("a", "c"), [0, 1], {"happy": 1, "sad": 1})
