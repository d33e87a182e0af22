from collections import Counter, defaultdict

import numpy as np
import pytest

from fercli.core.errors import InputError
from fercli.core.rows import SplitRow
from fercli.labels.leaks import find_leaks
from fercli.labels.splits import Faces, leave_one_out, make_folds, make_split, merge_groups, split_counts

CLASSES = ("happy", "neutral", "sad")


def classroom(num_subjects: int, faces_each: int = 20, seed: int = 0) -> Faces:
    """Subjects with different numbers of faces and different moods."""
    rng = np.random.default_rng(seed)
    ids, labels, groups = [], [], []
    for subject in range(num_subjects):
        mood = rng.dirichlet(np.ones(3))
        for face in range(int(rng.integers(faces_each // 2, faces_each * 2))):
            ids.append(f"v/f{face:06d}-{subject}")
            labels.append(CLASSES[int(rng.choice(3, p=mood))])
            groups.append(f"s{subject:03d}")
    return Faces(ids, labels, groups)


def sizes(rows: list[SplitRow]) -> Counter[str]:
    return Counter(row.split for row in rows)


@pytest.mark.parametrize("num_subjects", [3, 4, 5, 8, 12, 40, 200])
def test_subjects_never_stand_on_two_sides_and_no_split_is_empty(num_subjects: int) -> None:
    faces = classroom(num_subjects)
    rows = make_split(faces)
    subject_of = dict(zip(faces.face_ids, faces.groups, strict=True))
    assert find_leaks(rows, subjects=subject_of).subjects == {}
    assert set(sizes(rows)) == {"train", "val", "test"}
    assert sorted(row.face_id for row in rows) == sorted(faces.face_ids)


@pytest.mark.parametrize("num_subjects", [12, 40, 200])
def test_faces_subjects_and_classes_come_near_the_ratios(num_subjects: int) -> None:
    faces = classroom(num_subjects)
    rows = make_split(faces, ratios=(0.6, 0.2, 0.2))
    label_of = dict(zip(faces.face_ids, faces.labels, strict=True))
    group_of = dict(zip(faces.face_ids, faces.groups, strict=True))
    total = Counter(faces.labels)
    slack = 2.0 / num_subjects + 0.03
    for split, ratio in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
        mine = [row.face_id for row in rows if row.split == split]
        assert len(mine) / len(rows) == pytest.approx(ratio, abs=slack)
        assert len({group_of[face] for face in mine}) / num_subjects == pytest.approx(ratio, abs=slack)
        for name, count in Counter(label_of[face] for face in mine).items():
            assert count / total[name] == pytest.approx(ratio, abs=2 * slack)


def test_rare_class_of_three_subjects_reaches_every_split() -> None:
    ids, labels, groups = [], [], []
    for subject in range(15):
        for face in range(10):
            ids.append(f"v/f{face:06d}-{subject}")
            labels.append("sad" if subject < 3 and face < 5 else "happy")
            groups.append(f"s{subject}")
    rows = make_split(Faces(ids, labels, groups))
    counts = split_counts(rows, dict(zip(ids, labels, strict=True)))
    assert all(counts[split]["sad"] == 5 for split in ("train", "val", "test"))


def test_same_seed_gives_the_same_split_whatever_the_order_of_faces() -> None:
    faces = classroom(12)
    turned = Faces(faces.face_ids[::-1], faces.labels[::-1], faces.groups[::-1])
    assert make_split(faces, seed=4) == make_split(turned, seed=4)


def test_another_seed_gives_another_split() -> None:
    faces = classroom(40)
    assert make_split(faces, seed=1) != make_split(faces, seed=2)


@pytest.mark.parametrize("num_subjects", [1, 2])
def test_too_few_subjects_are_refused_with_the_number_needed(num_subjects: int) -> None:
    with pytest.raises(InputError, match=rf"needs at least 3 subjects, and there (is|are) {num_subjects} subject"):
        make_split(classroom(num_subjects))


def test_part_with_ratio_zero_is_left_out_and_needs_no_subject() -> None:
    rows = make_split(classroom(2), ratios=(0.7, 0.0, 0.3))
    assert set(sizes(rows)) == {"train", "test"}


@pytest.mark.parametrize("ratios", [(0.5, 0.2, 0.2), (1.2, -0.1, -0.1), (0.0, 0.5, 0.5)])
def test_impossible_ratios_are_refused(ratios: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="invalid --ratios"):
        make_split(classroom(5), ratios=ratios)


def test_faces_without_groups_are_shared_out_exactly_by_class() -> None:
    ids = [f"f{face:05d}" for face in range(10_000)]
    labels = ["happy"] * 7000 + ["sad"] * 2900 + ["neutral"] * 100
    rows = make_split(Faces(ids, labels, ids, "face"), ratios=(0.8, 0.1, 0.1))
    counts = split_counts(rows, dict(zip(ids, labels, strict=True)))
    assert counts == {
        "train": {"happy": 5600, "neutral": 80, "sad": 2320},
        "val": {"happy": 700, "neutral": 10, "sad": 290},
        "test": {"happy": 700, "neutral": 10, "sad": 290},
    }


def test_rounding_of_many_rare_classes_does_not_starve_a_split() -> None:
    ids = [f"f{face:05d}" for face in range(600)]
    labels = [f"c{face // 3}" for face in range(600)]
    split = sizes(make_split(Faces(ids, labels, ids, "face"), ratios=(0.7, 0.15, 0.15)))
    assert split["train"] == pytest.approx(420, abs=2)
    assert split["val"] == pytest.approx(90, abs=2)


@pytest.mark.parametrize("num_folds", [2, 5])
def test_every_face_is_test_in_exactly_one_fold(num_folds: int) -> None:
    faces = classroom(12)
    rows = make_folds(faces, num_folds)
    assert Counter(row.face_id for row in rows if row.split == "test") == Counter(faces.face_ids)
    assert len(rows) == num_folds * len(faces.face_ids)
    subject_of = dict(zip(faces.face_ids, faces.groups, strict=True))
    assert find_leaks(rows, subjects=subject_of).subjects == {}
    for fold in range(num_folds):
        assert set(sizes([row for row in rows if row.fold == fold])) == {"train", "val", "test"}


def test_leave_one_out_tests_one_subject_a_fold() -> None:
    faces = classroom(6)
    subject_of = dict(zip(faces.face_ids, faces.groups, strict=True))
    tested = defaultdict(set)
    for row in leave_one_out(faces):
        if row.split == "test":
            tested[row.fold].add(subject_of[row.face_id])
    assert sorted(next(iter(subjects)) for subjects in tested.values()) == sorted(set(faces.groups))
    assert all(len(subjects) == 1 for subjects in tested.values())


def test_more_folds_than_subjects_are_refused() -> None:
    with pytest.raises(InputError, match="7 folds need 7 subjects, and there are 6"):
        make_folds(classroom(6), 7)


def test_one_fold_is_refused() -> None:
    with pytest.raises(InputError, match=r"cannot make 1 fold with a validation share of \S+"):
        make_folds(classroom(6), 1)


def test_groups_that_share_an_image_become_one() -> None:
    merged = merge_groups(["a", "b", "c", "d", "d", "e"], identical=["1", "1", "2", "2", "3", ""])
    assert merged[0] == merged[1]
    assert merged[2] == merged[3] == merged[4]
    assert len({merged[0], merged[2], merged[5]}) == 3


def test_columns_of_different_length_are_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="differ in number"):
        Faces(["a"], ["happy", "sad"], ["s"])
