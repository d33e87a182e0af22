"""Read FERPlus: ten votes per image of FER2013, joined by line, as hard or soft labels.

Source: Barsoum et al., Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution,
ICMI 2016, section 3, and the rules of the authors' code (microsoft/FERPlus, src/ferplus.py), which the paper's words
leave open: single votes are dropped first, and what is not over half of the votes left is unknown.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from fercli.core.csvtext import reading_csv
from fercli.core.emotions import PRESETS
from fercli.core.errors import InputError
from fercli.core.results import Failure
from fercli.core.rows import LabelStatus
from fercli.core.words import counted
from fercli.sources.fer2013 import EMOTIONS as FER2013_EMOTIONS
from fercli.sources.fer2013 import find_csv, read_csv
from fercli.sources.items import Decode, FerplusMode, SourceBatch, SourceItem, SourceOptions, shown

EMOTIONS = PRESETS["ferplus"]
CATEGORIES = (*EMOTIONS, "unknown", "NF")
VOTES_NAME = "fer2013new.csv"
LOOKS_LIKE = f"a folder with fer2013.csv (or icml_face_data.csv) and {VOTES_NAME}"
# Rows with a label under the majority rule: the authors' code on the published votes.
PUBLISHED = {"Training": 25_060, "PublicTest": 3_199}
REMARK = (
    "Sensors 2024, 24, 6748 counts 28,085 faces to train and 3,256 to test; the published votes under their authors' "
    "rule leave 25,060 of Training and 3,199 of PublicTest."
)
_OUTLIER_VOTES = 1
# Ten annotators agree with FER2013's label on about two thirds of the pictures; shuffled lines agree on a fifth.
_LEAST_AGREEMENT = 0.4
_ENOUGH_ROWS = 200


@dataclass(frozen=True, eq=False)
class FerplusLabels:
    """`winners`: index in CATEGORIES, -1 when nothing wins; `shares`: over EMOTIONS, zero rows where none stays."""

    winners: Int64[np.ndarray, " faces"]
    shares: Float64[np.ndarray, "faces 8"]


@dataclass(frozen=True, eq=False)
class FerplusVotes:
    """The lines of fer2013new.csv: `counts` in the order of CATEGORIES; a bad line has zeros and a failure."""

    parts: tuple[str, ...]
    counts: Int64[np.ndarray, "faces 10"]
    failures: dict[int, Failure]


def read_ferplus(path: Path, options: SourceOptions, decode: Decode) -> Iterator[SourceBatch]:
    """Read FER2013's pictures with the labels that FERPlus' votes give; those without a label keep an empty one.

    Raises:
        InputError: one of the two files is missing, or their lines do not belong together.
    """
    pictures, votes_path = find_ferplus(path, options)
    return _joined(pictures, votes_path, options)


def find_ferplus(path: Path, options: SourceOptions) -> tuple[Path, Path]:
    """The csv of FER2013's pictures, and fer2013new.csv: where `options` name it, else beside the pictures.

    Raises:
        InputError: one of them is missing.
    """
    pictures = find_csv(path)
    if pictures is None:
        raise InputError(
            f"no fer2013.csv in '{shown(path)}'; FERPlus votes are joined to it by line",
            hint=f"Expected: {LOOKS_LIKE}. Kaggle's folders do not keep the order of the lines.",
        )
    votes = options.votes or pictures.parent / VOTES_NAME
    if not votes.is_file():
        raise InputError(
            f"'{shown(votes)}' does not exist", hint=f"Expected: {LOOKS_LIKE}. Or name the file of votes with --votes."
        )
    return pictures, votes


def read_ferplus_votes(path: Path) -> FerplusVotes:
    """Read fer2013new.csv: Usage, Image name, and the ten counts.

    Raises:
        InputError: a column is missing.
    """
    parts: list[str] = []
    counts: list[list[int]] = []
    failures: dict[int, Failure] = {}
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file, reading_csv(path):
        reader = csv.reader(file)
        header = [cell.strip().lower() for cell in next(reader, [])]
        missing = [name for name in ("Usage", *CATEGORIES) if name.lower() not in header]
        if missing:
            raise InputError(f"{shown(path)}: missing column {', '.join(missing)}", hint=f"Expected: {LOOKS_LIKE}.")
        places = [header.index(name.lower()) for name in CATEGORIES]
        for row, cells in enumerate(cells for cells in reader if cells):
            try:
                counts.append([_count(cells[place]) for place in places])
                parts.append(cells[header.index("usage")].strip())
            except (ValueError, IndexError):
                where = f"{path.name}:{reader.line_num}"
                failures[row] = Failure(where, "one of the ten counts is missing or not a number")
                counts.append([0] * len(CATEGORIES))
                parts.append("")
    return FerplusVotes(tuple(parts), np.array(counts, np.int64).reshape(-1, len(CATEGORIES)), failures)


def ferplus_labels(counts: Int64[np.ndarray, "faces 10"], mode: FerplusMode) -> FerplusLabels:
    """Turn votes into labels by one of FERPlus' rules; single votes are dropped first.

    majority: the largest category must hold more than half of the votes left; the soft label is the plain share of all
    votes for the eight emotions. probability: the most voted emotions, until they hold three quarters of the votes or
    are three, in proportion; they must hold more than half. multi-target: all emotions with at least 30 % of the votes,
    with equal weight; they must hold more than half. A picture whose winner is unknown or NF has no label.
    """
    kept = np.where(counts > _OUTLIER_VOTES, counts, 0)
    totals = kept.sum(1)
    if mode == "majority":
        wins = 2 * kept.max(1) > totals
        winners = np.where(wins, kept.argmax(1), -1)
        return _labels(winners, counts[:, :8].astype(np.float64))
    if mode == "multi-target":
        chosen = np.where(10 * kept >= 3 * totals[:, None], kept, 0)
    else:
        chosen = np.array([_most_voted(row) for row in kept], np.int64).reshape(kept.shape)
    winners = np.where(2 * chosen.sum(1) > totals, chosen.argmax(1), -1)
    weights = chosen[:, :8] > 0 if mode == "multi-target" else chosen[:, :8]
    return _labels(winners, weights.astype(np.float64))


def _most_voted(votes: np.ndarray) -> np.ndarray:
    """Take the categories from the most voted down, equals together; nothing when that takes more than three.

    Unknown and NF end the taking, and count only when they come first.
    """
    taken = np.zeros_like(votes)
    while 4 * taken.sum() < 3 * votes.sum() and np.count_nonzero(taken) < 3:
        left = np.where(taken > 0, 0, votes)
        level = np.flatnonzero(left == left.max())
        emotions = level[level < len(EMOTIONS)]
        taken[emotions] = votes[emotions]
        if len(emotions) < len(level):
            if not taken.any():
                taken[level[0]] = votes[level[0]]
            break
    return taken if np.count_nonzero(taken) <= 3 else np.zeros_like(votes)


def _labels(winners: np.ndarray, weights: np.ndarray) -> FerplusLabels:
    is_kept = (winners >= 0) & (winners < len(EMOTIONS))
    sums = weights.sum(1, keepdims=True)
    shares = np.where(is_kept[:, None], weights / np.where(sums > 0, sums, 1), 0.0)
    return FerplusLabels(winners.astype(np.int64), shares)


def _joined(pictures: Path, votes_path: Path, options: SourceOptions) -> Iterator[SourceBatch]:
    votes = read_ferplus_votes(votes_path)
    labels = ferplus_labels(votes.counts, options.mode)
    num_rows = num_agreeing = 0
    for batch in read_csv(pictures, SourceOptions(FER2013_EMOTIONS)):
        _check_lines(batch, votes, pictures, votes_path)
        places = [place for place, item in enumerate(batch.items) if item.row not in votes.failures]
        old = [batch.items[place] for place in places]
        items = tuple(_with_votes(item, votes.counts[item.row], labels, options) for item in old)
        num_rows += len(items)
        num_agreeing += sum(_agrees(item, votes.counts[item.row]) for item in old)
        bad = [votes.failures[item.row] for item in batch.items if item.row in votes.failures]
        yield replace(batch, items=items, images=[batch.images[i] for i in places], failures=(*batch.failures, *bad))
    if num_rows >= _ENOUGH_ROWS and num_agreeing < _LEAST_AGREEMENT * num_rows:
        raise InputError(
            f"{shown(votes_path)}: only {num_agreeing} of "
            f"{counted(num_rows, 'image has', 'images have')} votes that match FER2013's labels",
            hint=f"Line i of {VOTES_NAME} must match row i of {pictures.name}; one file was sorted or truncated.",
        )


def _check_lines(batch: SourceBatch, votes: FerplusVotes, pictures: Path, votes_path: Path) -> None:
    for item in batch.items:
        part = votes.parts[item.row] if item.row < len(votes.parts) else "no line"
        if part != item.part and item.row not in votes.failures:
            raise InputError(
                f"{shown(votes_path)}: row {item.row} is {part}, but {item.part} in {pictures.name}",
                hint=f"Line i of {VOTES_NAME} must match row i of {pictures.name}; use both files as published.",
            )


def _with_votes(item: SourceItem, counts: np.ndarray, labels: FerplusLabels, options: SourceOptions) -> SourceItem:
    winner, num_votes = int(labels.winners[item.row]), int(counts.sum())
    has_label = 0 <= winner < len(EMOTIONS)
    status: LabelStatus = "ok" if has_label else ("unknown" if winner >= 0 else "no_majority")
    emotion = options.class_of(EMOTIONS[winner]) if has_label else ""
    assert emotion is not None  # the registry has checked that the project knows all classes
    names = [options.class_of(name) or name for name in EMOTIONS]
    shares = labels.shares[item.row].tolist()
    voted = counts[counts > 0] / max(num_votes, 1)
    return replace(
        item,
        emotion=emotion,
        status=status,
        rule=f"ferplus-{options.mode}",
        num_votes=num_votes,
        agreement=round(float(counts.max()) / num_votes, 6) if num_votes else None,
        entropy=round(float(-(voted * np.log2(voted)).sum()) + 0.0, 6),
        shares={name: round(share, 6) for name, share in zip(names, shares, strict=True)} if has_label else {},
    )


def _agrees(item: SourceItem, counts: np.ndarray) -> bool:
    words = {"angry": "anger", "happy": "happiness", "sad": "sadness"}
    return CATEGORIES[int(counts.argmax())] == words.get(item.emotion, item.emotion)


def _count(cell: str) -> int:
    number = int(cell)
    if number < 0:
        raise ValueError(cell)
    return number
