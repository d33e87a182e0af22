"""What the terminal says reads as sentences and tables, the second time too; nothing is a dump of fields."""

from pathlib import Path

import pytest

from fercli.core.project import Project
from fercli.reports.score_words import scaled
from fercli.stages.train.series import train_series
from tests.cli.run import run_fer
from tests.stages.train_project import drawn_project, quick
from tests.stages.voted import all_votes, make_faces, write_votes

DUMPS = (
    "fold None",
    "val_accuracy",
    "num_",
    "{",
    "was resumed",
    "knows subjects",
    "identical across",
    "split default, ",
)


@pytest.fixture(scope="module")
def voted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Path]:
    folder = tmp_path_factory.mktemp("show")
    project = make_faces(folder / "mine", num_subjects=6)
    return project, write_votes(folder / "votes.csv", all_votes(6))


def said(*words: object) -> str:
    code, out, err = run_fer(*words)
    assert code == 0, err
    assert not [dump for dump in DUMPS if dump in out], out
    return out


def test_second_calls_on_labels_and_splits_read_like_the_first(voted: tuple[Project, Path]) -> None:
    project, votes = voted
    here = ("-p", project.root)
    first = said("labels", "import", votes, *here)
    assert "108 votes, 108 new" in first
    again = said("labels", "import", votes, *here)
    assert "nothing to do, these files were imported before" in again
    assert "votes.csv is import-1" in again
    assert "0 votes" not in again
    assert "faces: 36 labelled" in said("labels", "vote", *here)
    first, again = (said("split", *here) for _ in range(2))
    assert "nothing to do" in again
    assert first.partition("split 'default'")[2] == again.partition("split 'default'")[2] != ""
    assert "images: 36 faces, 0 crops missing" in said("check", "images", *here)


def test_trainings_are_told_in_words_and_the_second_time_too(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "mine")
    train_series(project, quick(epochs=1, seeds=(0, 1)))
    words = ["train", "-p", project.root, "--progress", "none"]
    values = ("epochs=1", "batch_size=8", "precision=fp32", "threads=1", "image_size=24")
    for value in (*values, "model.width=16", "model.hidden=32"):
        words += ["--set", value]
    out = said(*words, "--seed", 1)
    assert "train: nothing to do" in out
    assert "on 12 faces" in out
    out = said(*words, "--seeds", "0,1")
    assert "train: nothing to do" in out
    assert "mean ± SD" in out


def test_seeds_with_numbers_are_explained_by_eval(voted: tuple[Project, Path]) -> None:
    code, _, err = run_fer("eval", "--seeds", "0,1", "-p", voted[0].root)
    assert code == 2
    assert "--seeds takes no numbers here" in err
    assert "fer eval --seeds" in err


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "-"), (0, "0.00"), (972, "0.000972"), (97_223, "0.0972"), (1_234_567, "1.23"), (25_600_000, "25.60")],
)
def test_a_small_network_has_more_than_no_parameters(value: int | None, words: str) -> None:
    assert scaled(value, 1e6) == words
