from collections import Counter

import numpy as np
import pytest

from fercli.sources.official import OfficialSplit, official_split

ROLES = {"Training": "train", "PublicTest": "test"}


def split(parts: list[str], emotions: list[str], pictures: list[bytes] | None = None, seed: int = 0) -> OfficialSplit:
    digests = pictures or [str(place).encode() for place in range(len(parts))]
    return official_split(parts, emotions, digests, roles=ROLES, generator=np.random.default_rng(seed))


@pytest.fixture
def made() -> OfficialSplit:
    return split(["Training"] * 300 + ["PublicTest"] * 50, ["happy"] * 200 + ["sad"] * 100 + ["happy"] * 50)


def test_a_tenth_of_each_class_of_train_becomes_val(made: OfficialSplit) -> None:
    emotions = ["happy"] * 200 + ["sad"] * 100
    drawn = [emotion for emotion, name in zip(emotions, made.splits[:300], strict=True) if name == "val"]
    assert Counter(drawn) == {"happy": 20, "sad": 10}
    assert made.drawn_val


def test_the_published_test_part_is_not_touched(made: OfficialSplit) -> None:
    assert set(made.splits[300:]) == {"test"}
    assert made.from_parts == {"Training": "train", "PublicTest": "test"}


def test_the_seed_decides_what_is_drawn() -> None:
    emotions = ["happy"] * 100
    assert split(["Training"] * 100, emotions, seed=1) == split(["Training"] * 100, emotions, seed=1)
    assert split(["Training"] * 100, emotions, seed=1) != split(["Training"] * 100, emotions, seed=2)


def test_identical_pictures_stay_on_one_side() -> None:
    pictures = [str(place // 3).encode() for place in range(300)]
    splits = split(["Training"] * 300, ["happy"] * 300, pictures).splits
    assert all(len({splits[place + step] for step in range(3)}) == 1 for place in range(0, 300, 3))
    assert Counter(splits) == {"train": 270, "val": 30}


def test_identical_pictures_with_different_labels_stay_in_train() -> None:
    pictures = [str(place // 2).encode() for place in range(40)]
    splits = split(["Training"] * 40, ["happy", "sad"] * 20, pictures).splits
    assert set(splits) == {"train"}


def test_a_published_val_is_kept() -> None:
    roles = {"train": "train", "val": "val"}
    made = official_split(
        ["train"] * 20 + ["val"], ["happy"] * 21, [b""] * 21, roles=roles, generator=np.random.default_rng(0)
    )
    assert Counter(made.splits) == {"train": 20, "val": 1}
    assert not made.drawn_val


def test_pictures_without_a_label_have_no_split() -> None:
    assert split(["Training", "PublicTest"], ["", "happy"]).splits == (None, "test")


def test_a_part_without_a_role_has_no_split() -> None:
    assert split(["Elsewhere"], ["happy"]).splits == (None,)
