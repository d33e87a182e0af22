"""Whether labelling the faces first of which a model is uncertain saves votes: simulated on votes that people gave.

    python benchmarks/label_order.py --ferplus FOLDER    # fer2013.csv and fer2013new.csv
    python benchmarks/label_order.py                     # the drawn class of `fer demo`

Each face that is shown costs three votes: on FERPlus drawn from the ten that it has, in the drawn class from simulated
annotators; a face without a majority gives no label, and its votes are spent. After each round a model is fitted to the
labels so far (logistic regression on histograms of gradients), scored on faces apart, and asked which faces come next:
any (`fer annotate`), or the most uncertain (`--order uncertain`, by entropy or margin). Prints a Markdown table: the
accuracy at each number of votes, and what share of the votes each order saves for the accuracy of the random one.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from fercli.demo.classroom import Classroom
from fercli.demo.votes import cast_votes, draw_annotators, present_face
from fercli.labels.order import uncertain_first

SEEDS = range(5)
VOTES = 3
ORDERS = ("shuffled", "entropy", "margin")
SIDE = 48
NO_LABEL = -1


@dataclass(frozen=True)
class Task:
    """Faces to be labelled, and faces to score on.

    Attributes:
        pool: features of the faces that can be shown.
        votes: `votes[seed][face]` are the labels that three annotators give, classes from 0, others `NO_LABEL`.
        groups: of each face in the pool, its track; empty where it has none.
        test: features, and `truth`, the class of each.
        rounds: numbers of faces shown.
    """

    name: str
    pool: np.ndarray
    votes: dict[int, np.ndarray]
    groups: Sequence[str]
    test: np.ndarray
    truth: np.ndarray
    rounds: Sequence[int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, help="folder with fer2013.csv and fer2013new.csv")
    given = parser.parse_args()
    task = ferplus(given.ferplus) if given.ferplus else drawn_class()
    curves = {order: np.array([curve(task, order, seed) for seed in SEEDS]) for order in ORDERS}
    print(f"\n{task.name}: {len(task.pool):,} faces, {len(task.test):,} to score on, five seeds, mean (sd)\n")
    print("| votes | " + " | ".join(ORDERS) + " |")
    print("|---:|" + "---:|" * len(ORDERS))
    for place, number in enumerate(task.rounds):
        cells = [
            f"{curves[order][:, place].mean():.1%} ({curves[order][:, place].std(ddof=1):.1%})" for order in ORDERS
        ]
        print(f"| {number * VOTES:,} | " + " | ".join(cells) + " |")
    print()
    for place in (len(task.rounds) - 4, len(task.rounds) - 2):
        for order in ORDERS[1:]:
            print(f"- {saved(task.rounds, curves['shuffled'], curves[order], place, order)}")


def curve(task: Task, order: str, seed: int) -> list[float]:
    """The accuracy after each round."""
    rng = np.random.default_rng(seed)
    shown = rng.permutation(len(task.pool))[: task.rounds[0]].tolist()
    labels = majority(task.votes[seed])
    scores = []
    for number in (*task.rounds[1:], None):
        usable = [face for face in shown if labels[face] != NO_LABEL]
        model = LogisticRegression(C=0.03, max_iter=400).fit(task.pool[usable], labels[usable])
        scores.append(float((model.predict(task.test) == task.truth).mean()))
        if number is not None:
            shown += following(task, model, shown, order, rng)[: number - len(shown)]
    print(f"{task.name} {order} {seed}: " + " ".join(f"{score:.3f}" for score in scores), flush=True)
    return scores


def following(
    task: Task, model: LogisticRegression, shown: Sequence[int], order: str, rng: np.random.Generator
) -> list[int]:
    """The faces that were not shown yet, in the order in which they come next."""
    rest = np.setdiff1d(np.arange(len(task.pool)), shown)
    if order == "shuffled":
        return [int(face) for face in rng.permutation(rest)]
    shares = dict(zip(map(str, rest), model.predict_proba(task.pool[rest]).tolist(), strict=True))
    groups = {face: task.groups[int(face)] for face in shares}
    counts = Counter(task.groups[face] or str(face) for face in shown)
    measure = "entropy" if order == "entropy" else "margin"
    return [int(face) for face in uncertain_first(shares, groups, num_labelled=counts, measure=measure)]


def majority(votes: np.ndarray) -> np.ndarray:
    """The class that two of three votes say; `NO_LABEL` where none does."""
    first, second, third = votes.T
    found = np.where((first == second) | (first == third), first, np.where(second == third, second, NO_LABEL))
    return found.astype(int)


def saved(rounds: Sequence[int], random: np.ndarray, other: np.ndarray, place: int, order: str) -> str:
    """The share of votes that an order needs less for what the random one reaches with all of `rounds[place]`."""
    shares = []
    for seed in SEEDS:
        target = random[seed, place]
        best = np.maximum.accumulate(other[seed])
        if best[-1] < target:
            shares.append(1 - rounds[-1] / rounds[place])  # at least so many more
            continue
        needed = np.exp(np.interp(target, best, np.log(rounds)))
        shares.append(1 - needed / rounds[place])
    mean, half = np.mean(shares), stats.t.ppf(0.975, len(shares) - 1) * np.std(shares, ddof=1) / len(shares) ** 0.5
    what = f"{order}: for the accuracy of {rounds[place] * VOTES:,} votes in random order"
    return f"{what} {mean:+.0%} votes saved (95% interval {mean - half:+.0%} to {mean + half:+.0%})"


def features(images: np.ndarray) -> np.ndarray:
    """Histograms of gradients of grey images of 48 pixels: 9 directions in cells of 8, normalised in blocks of 2 by 2.

    Source: Dalal and Triggs, CVPR 2005, without their interpolation between bins.
    """
    parts = [_histograms(images[start : start + 2000].astype(np.float32)) for start in range(0, len(images), 2000)]
    return np.concatenate(parts)


def _histograms(images: np.ndarray) -> np.ndarray:
    down, across = np.gradient(images, axis=(1, 2))
    strength = np.hypot(down, across)
    direction = (np.mod(np.arctan2(down, across), np.pi) / np.pi * 9).astype(int) % 9
    num = SIDE // 8
    cells = np.stack([
        np.where(direction == one, strength, 0).reshape(-1, num, 8, num, 8).sum(axis=(2, 4)) for one in range(9)
    ], axis=-1)  # fmt: skip
    blocks = np.concatenate([cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]], axis=-1)
    blocks /= np.sqrt((blocks**2).sum(axis=-1, keepdims=True)) + 1e-3
    return blocks.reshape(len(images), -1).astype(np.float32)


def reduced(pool: np.ndarray, test: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Both on the pool's principal axes, each of unit variance; no label is looked at."""
    axes = PCA(size, whiten=False, random_state=0, svd_solver="randomized").fit(pool)
    scale = axes.transform(pool).std(axis=0).mean()
    return axes.transform(pool) / scale, axes.transform(test) / scale


def ferplus(folder: Path) -> Task:
    """FER2013's Training faces with three of FERPlus' ten votes; PublicTest with the majority of all ten."""
    table = pd.read_csv(folder / "fer2013.csv")
    counts = pd.read_csv(folder / "fer2013new.csv").iloc[: len(table), 2:].to_numpy()
    pixels = np.stack([np.array(text.split(), dtype=np.uint8) for text in table["pixels"]]).reshape(-1, SIDE, SIDE)
    is_pool = (table["Usage"] == "Training").to_numpy() & (counts.sum(axis=1) >= VOTES)
    winner = counts.argmax(axis=1)
    is_test = (table["Usage"] == "PublicTest").to_numpy() & (counts.max(axis=1) > 5) & (winner < 8)
    pool, test = reduced(features(pixels[is_pool]), features(pixels[is_test]), 200)
    votes = {}
    for seed in SEEDS:
        rng = np.random.default_rng(1000 + seed)
        drawn = [rng.permutation(np.repeat(np.arange(10), row))[:VOTES] for row in counts[is_pool]]
        votes[seed] = np.where(np.array(drawn) < 8, np.array(drawn), NO_LABEL)
    rounds = (200, 300, 450, 675, 1000, 1500, 2250, 3400, 5000)
    return Task("FERPlus", pool, votes, [""] * len(pool), test, winner[is_test], rounds)


def drawn_class() -> Task:
    """The faces of `fer demo`'s lessons, one a second; every fourth pupil is kept for scoring."""
    room = Classroom(seed=0, num_subjects=72, seconds=45, fps=1, size=(1280, 720))
    images, emotions, intensities, pupils = [], [], [], []
    for lesson in room.lessons:
        for index, frame in enumerate(lesson.frames()):
            for face in lesson.truth(index):
                left, top, width, height = (round(side) for side in face.box)
                crop = frame[max(0, top) : top + height, max(0, left) : left + width]
                images.append(cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (SIDE, SIDE)))
                emotions.append(face.emotion)
                intensities.append(face.intensity)
                pupils.append(face.pupil)
    classes = sorted(set(emotions))
    truth = np.array([classes.index(emotion) for emotion in emotions])
    is_test = np.array([sorted(set(pupils)).index(pupil) % 4 == 0 for pupil in pupils])
    pool, test = reduced(features(np.stack(images)[~is_test]), features(np.stack(images)[is_test]), 100)
    kept = np.flatnonzero(~is_test).tolist()
    votes = {}
    for seed in SEEDS:
        shown = [present_face(str(face), "", emotions[face], intensities[face], seed=1000 + seed) for face in kept]
        columns = [cast_votes(one, shown, 1000 + seed) for one in draw_annotators(VOTES, 1000 + seed)]
        places = {name: place for place, name in enumerate(classes)}
        votes[seed] = np.array([[places.get(vote.label, NO_LABEL) for vote in column] for column in columns]).T
    rounds = (60, 90, 135, 200, 300, 450, 675, 1000)
    return Task("drawn class", pool, votes, [str(pupils[face]) for face in kept], test, truth[is_test], rounds)


if __name__ == "__main__":
    main()
