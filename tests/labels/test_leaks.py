import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fercli.core.rows import SplitRow
from fercli.labels.leaks import CopiedImage, find_leaks, without_copies

ROWS = [
    SplitRow("a", "train"),
    SplitRow("b", "train"),
    SplitRow("c", "val"),
    SplitRow("d", "test"),
    SplitRow("e", "test"),
]


def test_clean_split_has_no_leaks() -> None:
    owner = {"a": "s1", "b": "s1", "c": "s2", "d": "s3", "e": ""}
    leaks = find_leaks(ROWS, subjects=owner, videos=owner, hashes=owner | {"b": "x"})
    assert (leaks.subjects, leaks.videos, leaks.identical) == ({}, {}, [])
    assert leaks.identical_across_splits == 0


def test_subject_and_video_on_two_sides_are_named_with_their_sides() -> None:
    leaks = find_leaks(ROWS, subjects={"a": "s1", "c": "s1", "d": "s1"}, videos={"b": "v", "e": "v"})
    assert leaks.subjects == {"s1": ("train", "val", "test")}
    assert leaks.videos == {"v": ("train", "test")}


def test_identical_image_counts_once_for_each_later_face() -> None:
    hashes = {"a": "1", "b": "1", "c": "1", "d": "1", "e": "2"}
    leaks = find_leaks(ROWS, hashes=hashes)
    assert leaks.identical == [CopiedImage("c", "val", "a", "train"), CopiedImage("d", "test", "a", "train")]
    assert leaks.identical_across_splits == 2


def test_copy_on_the_same_side_is_no_leak() -> None:
    assert find_leaks(ROWS, hashes={"d": "1", "e": "1"}).identical == []


def test_near_image_differs_in_few_bits_and_is_not_counted_twice() -> None:
    phashes = {"a": "00000000000000ff", "d": "00000000000000fe", "e": "00000000000000ff", "c": "ff000000000000ff"}
    leaks = find_leaks(ROWS, hashes={"a": "1", "e": "1"}, phashes=phashes, max_bits=2)
    assert leaks.near == [CopiedImage("d", "test", "a", "train")]
    assert leaks.identical_across_splits == 1
    assert leaks.near_across_splits == 1


def test_folds_are_looked_at_one_by_one() -> None:
    rows = [SplitRow("a", "train", 0), SplitRow("b", "test", 0), SplitRow("a", "test", 1), SplitRow("b", "train", 1)]
    owner = {"a": "s1", "b": "s2"}
    assert find_leaks(rows, subjects=owner, hashes=owner).subjects == {}
    same = find_leaks(rows, hashes={"a": "1", "b": "1"})
    assert same.identical_across_splits == 2


@pytest.mark.real_data
def test_fer2013_has_280_test_images_that_are_copies_of_training_images(real_data: Path) -> None:
    with np.load(real_data / "fer2013" / "fer2013-train-publictest.npz") as data:
        # A lossless predictor's residuals: equal exactly where the pixels are.
        residuals = data["residual"]
    hashes = [hashlib.sha256(image.tobytes()).hexdigest() for image in residuals]
    twice = {image for image, count in Counter(hashes).items() if count > 1}
    kept = {f"f{row:06d}": image for row, image in enumerate(hashes) if image in twice}
    rows = [SplitRow(face_id, "train" if face_id < "f028709" else "test") for face_id in kept]
    assert find_leaks(rows, hashes=kept).identical_across_splits == 280


def test_without_copies_keeps_the_latest_part_of_each_image() -> None:
    hashes = {"a": "1", "b": "2", "c": "1", "d": "1", "e": "3"}
    kept = without_copies(ROWS, find_leaks(ROWS, hashes=hashes), hashes)
    assert [row.face_id for row in kept] == ["b", "d", "e"]
    assert find_leaks(kept, hashes=hashes).identical == []


def test_near_images_are_the_same_without_numpys_own_count_of_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    phashes = {"a": "00000000000000ff", "b": "ff00000000000000", "d": "80000000000000fe", "e": "00000000000fffff"}
    found = find_leaks(ROWS, phashes=phashes, max_bits=2).near
    assert found == [CopiedImage("d", "test", "a", "train")]
    # numpy 1 has none.
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert find_leaks(ROWS, phashes=phashes, max_bits=2).near == found
