from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from fercli.core.errors import InputError
from fercli.sources.ferplus import CATEGORIES, EMOTIONS, FerplusLabels, ferplus_labels, read_ferplus, read_ferplus_votes
from fercli.sources.items import FerplusMode
from tests.sources.trees import grey, options, read_all, write_fer2013, write_votes

# Order: neutral happiness surprise sadness anger disgust fear contempt unknown NF.
ROW_0 = (4, 0, 0, 1, 3, 2, 0, 0, 0, 0)
ROW_1 = (6, 0, 1, 1, 0, 0, 0, 0, 2, 0)
CLEAR = (0, 9, 1, 0, 0, 0, 0, 0, 0, 0)


def label_of(votes: tuple[int, ...], mode: FerplusMode = "majority") -> str:
    return name_of(ferplus_labels(np.array([votes]), mode))


def name_of(labels: FerplusLabels) -> str:
    winner = int(labels.winners[0])
    return CATEGORIES[winner] if winner >= 0 else "nothing"


def shares_of(votes: tuple[int, ...], mode: FerplusMode) -> dict[str, float]:
    shares = ferplus_labels(np.array([votes]), mode).shares[0].tolist()
    return {name: share for name, share in zip(EMOTIONS, shares, strict=True) if share}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [(0, grey(0), "Training"), (6, grey(1), "Training"), (3, grey(2), "PublicTest")]
    write_fer2013(tmp_path / "fer2013.csv", rows)
    write_votes(tmp_path / "fer2013new.csv", [("Training", ROW_0), ("Training", ROW_1), ("PublicTest", CLEAR)])
    return tmp_path


@pytest.mark.parametrize(
    ("votes", "label"),
    [
        # 4 + 3 + 2 are left of ten; 4 is not above 4.5.
        (ROW_0, "nothing"),
        (ROW_1, "neutral"),
        # Without its single votes, 5 of 8 is a majority; with them it would be 5 of 10.
        ((5, 3, 1, 1, 0, 0, 0, 0, 0, 0), "neutral"),
        ((5, 5, 0, 0, 0, 0, 0, 0, 0, 0), "nothing"),
        ((2, 0, 0, 0, 0, 0, 0, 0, 8, 0), "unknown"),
        ((0, 0, 0, 0, 0, 0, 0, 0, 0, 10), "NF"),
        ((1, 1, 1, 1, 1, 1, 1, 1, 1, 1), "nothing"),
    ],
    ids=["row 0", "row 1", "single votes fall", "tie", "unknown wins", "no face", "only single votes"],
)
def test_majority_is_over_half_of_what_is_left(votes: tuple[int, ...], label: str) -> None:
    assert label_of(votes) == label


def test_majority_keeps_the_plain_shares_of_the_eight_emotions() -> None:
    assert shares_of(ROW_1, "majority") == {"neutral": 6 / 8, "surprise": 1 / 8, "sadness": 1 / 8}


@pytest.mark.parametrize(
    ("votes", "shares"),
    [
        # 4 and 3 of 9 reach 7 >= 6.75.
        (ROW_0, {"neutral": 4 / 7, "anger": 3 / 7}),
        ((8, 2, 0, 0, 0, 0, 0, 0, 0, 0), {"neutral": 1.0}),
        # Equals are taken together.
        ((4, 3, 3, 0, 0, 0, 0, 0, 0, 0), {"neutral": 0.4, "happiness": 0.3, "surprise": 0.3}),
        # Unknown stops the taking: 6 of 10 is enough.
        ((6, 0, 0, 0, 0, 0, 0, 0, 4, 0), {"neutral": 1.0}),
        # Five emotions of two votes are too many.
        ((2, 2, 2, 2, 2, 0, 0, 0, 0, 0), {}),
        # Half is not more than half.
        ((5, 0, 0, 0, 0, 0, 0, 0, 5, 0), {}),
        ((3, 0, 0, 0, 0, 0, 0, 0, 7, 0), {}),
    ],
    ids=["two", "one", "equals", "unknown second", "too many", "half", "unknown first"],
)
def test_probability_takes_the_most_voted(votes: tuple[int, ...], shares: dict[str, float]) -> None:
    assert shares_of(votes, "probability") == pytest.approx(shares)


@pytest.mark.parametrize(
    ("votes", "shares"),
    [
        (ROW_0, {"neutral": 0.5, "anger": 0.5}),
        ((3, 3, 4, 0, 0, 0, 0, 0, 0, 0), dict.fromkeys(("neutral", "happiness", "surprise"), 1 / 3)),
        ((7, 2, 0, 0, 0, 0, 0, 0, 0, 0), {"neutral": 1.0}),
        ((2, 2, 2, 2, 2, 0, 0, 0, 0, 0), {}),
    ],
    ids=["two", "three at thirty percent", "below thirty", "none"],
)
def test_multi_target_gives_equal_weight_from_thirty_percent(votes: tuple[int, ...], shares: dict[str, float]) -> None:
    assert shares_of(votes, "multi-target") == pytest.approx(shares)


@pytest.mark.parametrize("mode", get_args(FerplusMode))
def test_soft_labels_sum_to_one_or_are_not_there(mode: FerplusMode) -> None:
    votes = np.random.default_rng(0).multinomial(10, [0.3, 0.2, 0.1, 0.1, 0.08, 0.02, 0.02, 0.02, 0.1, 0.06], 300)
    labels = ferplus_labels(votes, mode)
    has_label = (labels.winners >= 0) & (labels.winners < 8)
    np.testing.assert_allclose(labels.shares.sum(1), has_label.astype(float))


def test_votes_join_the_pictures_by_line(folder: Path) -> None:
    items, images, failures = read_all(read_ferplus, folder, options("ferplus"))
    assert [item.emotion for item in items] == ["", "neutral", "happiness"]
    assert [item.status for item in items] == ["no_majority", "ok", "ok"]
    assert not failures
    np.testing.assert_array_equal(images[1], grey(1))


def test_an_item_tells_how_its_label_came_about(folder: Path) -> None:
    item = read_all(read_ferplus, folder, options("ferplus"))[0][2]
    assert (item.rule, item.num_votes, item.agreement) == ("ferplus-majority", 10, 0.9)
    # 0.9 and 0.1: -.9 log2 .9 - .1 log2 .1.
    assert item.entropy == pytest.approx(0.468996, abs=1e-6)
    assert item.shares == {name: {"happiness": 0.9, "surprise": 0.1}.get(name, 0.0) for name in EMOTIONS}


def test_the_mode_decides_which_pictures_have_a_label(folder: Path) -> None:
    items = read_all(read_ferplus, folder, options("ferplus", mode="probability"))[0]
    assert items[0].emotion == "neutral"
    assert items[0].shares["anger"] == pytest.approx(3 / 7, abs=1e-6)


def test_votes_elsewhere_can_be_named(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "votes.csv"
    (folder / "fer2013new.csv").rename(elsewhere)
    items = read_all(read_ferplus, folder / "fer2013.csv", options("ferplus", votes=elsewhere))[0]
    assert len(items) == 3


def test_missing_votes_are_told_with_the_option_that_names_them(folder: Path) -> None:
    (folder / "fer2013new.csv").unlink()
    with pytest.raises(InputError, match=r"fer2013new.csv' does not exist") as caught:
        read_all(read_ferplus, folder, options("ferplus"))
    assert "--votes" in caught.value.hint


def test_kaggles_folders_cannot_be_joined(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="FERPlus votes are joined to it by line"):
        read_all(read_ferplus, tmp_path, options("ferplus"))


def test_lines_of_another_part_are_refused(folder: Path) -> None:
    write_votes(folder / "fer2013new.csv", [("Training", ROW_0), ("PublicTest", ROW_1), ("PublicTest", CLEAR)])
    with pytest.raises(InputError, match=r"row 1 is PublicTest, but Training in fer2013.csv"):
        read_all(read_ferplus, folder, options("ferplus"))


def test_too_few_lines_of_votes_are_refused(folder: Path) -> None:
    write_votes(folder / "fer2013new.csv", [("Training", ROW_0)])
    with pytest.raises(InputError, match=r"row 1 is no line, but Training"):
        read_all(read_ferplus, folder, options("ferplus"))


def test_votes_that_belong_to_other_lines_are_refused(tmp_path: Path) -> None:
    image = grey(0)
    write_fer2013(tmp_path / "fer2013.csv", [(3, image, "Training")] * 200)
    write_votes(tmp_path / "fer2013new.csv", [("Training", ROW_1)] * 200)
    with pytest.raises(InputError, match="only 0 of 200 images have votes that match FER2013's labels"):
        read_all(read_ferplus, tmp_path, options("ferplus"))


def test_a_bad_line_of_votes_is_told_and_its_picture_left_out(folder: Path) -> None:
    text = (folder / "fer2013new.csv").read_text(encoding="utf-8").replace("6,0,1,1", "six,0,1,1")
    (folder / "fer2013new.csv").write_text(text, encoding="utf-8")
    items, _, failures = read_all(read_ferplus, folder, options("ferplus"))
    assert [item.row for item in items] == [0, 2]
    assert [(f.item, f.reason) for f in failures] == [
        ("fer2013new.csv:3", "one of the ten counts is missing or not a number")
    ]


def test_a_table_without_the_ten_counts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fer2013new.csv"
    path.write_text("Usage,Image name,neutral\n", encoding="utf-8")
    with pytest.raises(InputError, match="missing column happiness, surprise"):
        read_ferplus_votes(path)


def test_a_quote_that_is_never_closed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "fer2013new.csv"
    header = "Usage,Image name," + ",".join(CATEGORIES)
    path.write_text(f'{header}\nTraining,"fer0.png' + ",1" * 70_000 + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"fer2013new\.csv: cannot be parsed as CSV: field larger than field limit"):
        read_ferplus_votes(path)
