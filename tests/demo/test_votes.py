from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fercli.core.emotions import PRESETS, UNKNOWN
from fercli.demo.votes import (
    CONFUSED_WITH,
    DrawnVote,
    JudgedFace,
    cast_votes,
    draw_annotators,
    present_face,
    write_votes,
)
from fercli.labels.formats.registry import read_votes


def some_faces(number: int, intensity: float = 0.8) -> list[JudgedFace]:
    classes = PRESETS["scfed"]
    return [
        present_face(f"v/f{index:06d}-0", f"faces/v/f{index:06d}-0.png", classes[index % 6], intensity, seed=1)
        for index in range(number)
    ]


def votes_of(num_annotators: int, faces: list[JudgedFace]) -> list[list[DrawnVote]]:
    return [cast_votes(annotator, faces, 2) for annotator in draw_annotators(num_annotators, 2)]


def majority(votes: tuple[DrawnVote, ...]) -> str:
    counts = Counter(vote.label for vote in votes if vote.label)
    label, most = counts.most_common(1)[0]
    return label if most > sum(counts.values()) / 2 else ""


def test_majority_of_five_is_right_nine_times_of_ten_and_some_faces_stay_open() -> None:
    winners = [(majority(same), same[0].face.emotion) for same in zip(*votes_of(5, some_faces(1200)), strict=True)]
    decided = [winner == emotion for winner, emotion in winners if winner]
    assert np.mean(decided) > 0.92
    assert 0.01 < 1 - len(decided) / len(winners) < 0.15


def test_annotators_err_towards_the_neighbours_of_an_emotion() -> None:
    wrong = Counter(
        (vote.face.emotion, vote.label)
        for votes in votes_of(5, some_faces(1200))
        for vote in votes
        if vote.label not in ("", UNKNOWN, vote.face.emotion)
    )
    assert wrong["tired", "bored"] > 5 * wrong["tired", "happy"]
    assert set(wrong) <= {(emotion, other) for emotion, others in CONFUSED_WITH.items() for other in others}


def test_faint_emotions_are_missed_more_often() -> None:
    def accuracy(intensity: float) -> float:
        votes = [vote for one in votes_of(5, some_faces(600, intensity)) for vote in one]
        return float(np.mean([vote.label == vote.face.emotion for vote in votes]))

    assert accuracy(0.2) < accuracy(1.0) - 0.05


def test_chances_of_an_error_add_up_to_one() -> None:
    for others in CONFUSED_WITH.values():
        assert np.isclose(sum(others.values()), 1)
    assert set(CONFUSED_WITH) == set(PRESETS["scfed"])


def test_some_faces_are_skipped_and_some_called_unknown() -> None:
    labels = Counter(vote.label for votes in votes_of(5, some_faces(600)) for vote in votes)
    assert 0 < labels[""] < 150
    assert 0 < labels[UNKNOWN] < 150


@pytest.mark.parametrize(("number", "files"), [(1, 1), (2, 2), (3, 3), (5, 3)])
def test_every_annotator_is_in_one_file(number: int, files: int, tmp_path: Path) -> None:
    assert len(write_votes(tmp_path, votes_of(number, some_faces(12)))) == files


def test_files_hold_the_votes_that_were_cast(tmp_path: Path) -> None:
    votes = votes_of(5, some_faces(60))
    read = [read_votes(path) for path in write_votes(tmp_path, votes)]
    assert [one.format for one in read] == ["csv-long", "csv-wide", "label-studio"]
    cast = Counter(vote.label for one in votes for vote in one if vote.label)
    assert Counter(vote.label for one in read for vote in one.votes) == cast
    assert sum(len({vote.annotator for vote in one.votes}) for one in read) == 5


def test_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_votes(tmp_path / name, votes_of(4, some_faces(20))) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_face_that_is_not_found_leaves_the_other_votes_as_they_were() -> None:
    faces = some_faces(40)
    without_one = votes_of(3, [face for face in faces if face.face_id != "v/f000007-0"])
    for all_votes, fewer in zip(votes_of(3, faces), without_one, strict=True):
        said = {vote.face.face_id: (vote.label, vote.confidence) for vote in all_votes}
        assert {vote.face.face_id: (vote.label, vote.confidence) for vote in fewer}.items() < said.items()


def test_annotators_and_faces_are_drawn_apart() -> None:
    accuracies = [annotator.accuracy for annotator in draw_annotators(6, 2)]
    assert len(set(accuracies)) == 6
    assert len({face.pull for face in some_faces(40)}) == 40
