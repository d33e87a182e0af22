import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from fercli.core.errors import CheckError, InputError, MissingStageError, ProjectError, UsageError
from fercli.core.project import Project
from fercli.core.rows import Face, Prediction, SplitRow
from fercli.core.runs import list_runs
from fercli.core.tables import read_table, write_table
from fercli.stages.evaluate import EvalSettings
from fercli.stages.pool import PoolResult, pool
from fercli.stages.train import train
from fercli.stages.train.series import train_series
from tests.cli.run import run_fer
from tests.drawn import must
from tests.stages.train_project import drawn_project, quick

NUM_FOLDS = 3


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Twelve subjects in three folds, each trained on for one epoch, and two seeds of the default split."""
    project = drawn_project(tmp_path_factory.mktemp("mine") / "mine")
    rows = []
    for fold in range(NUM_FOLDS):
        for face in project.rows(Face):
            turn = (int(face.subject_id[1:]) + fold) % NUM_FOLDS
            rows.append(SplitRow(face.face_id, ("test", "val", "train")[turn], fold))  # type: ignore[arg-type]  # of Split
    write_table(project.split_path("cv"), sorted(rows, key=lambda row: (row.fold or 0, row.face_id)), SplitRow)
    train_series(project, quick(epochs=1, split="cv", fold="all"))
    train_series(project, quick(epochs=1, split="default", seeds=(0, 1)))
    return project


def of_fold(project: Project, fold: int) -> str:
    return next(
        run.run_id for run in list_runs(project.root)
        if f"fold = {fold}\n" in (run.folder / "config.toml").read_text(encoding="utf-8")
    )  # fmt: skip


def predictions(project: Project, result: PoolResult) -> list[Prediction]:
    place = next(path for path in result.outputs if path.endswith("predictions.csv"))
    return read_table(project.root / place, Prediction)


def test_what_is_finished_is_not_trained_again(folded: Project) -> None:
    before = len(list_runs(folded.root))
    result = train_series(folded, quick(epochs=1, split="cv", fold="all"))
    assert (result.num_runs, result.num_done_before, result.is_unchanged) == (3, 3, True)
    assert [one["fold"] for one in result.runs] == [0, 1, 2]
    assert len(list_runs(folded.root)) == before == 5


def test_folds_pool_each_face_once_by_the_run_that_has_not_seen_its_subject(folded: Project) -> None:
    result = pool(folded, EvalSettings(), "folds", [of_fold(folded, 1)])
    rows = predictions(folded, result)
    assert [row.face_id for row in rows] == sorted(face.face_id for face in folded.rows(Face))
    by_fold = {one["fold"]: one["run"] for one in result.members}
    assert sorted(by_fold) == [0, 1, 2]
    for row in rows:
        (fold,) = (fold for fold in range(NUM_FOLDS) if (int(row.subject_id[1:]) + fold) % NUM_FOLDS == 0)
        own = read_table(folded.root / "runs" / by_fold[fold] / "eval/test/predictions.csv", Prediction)
        assert row in own
    truth, said = [row.label for row in rows], [row.predicted for row in rows]
    assert result.accuracy["value"] == pytest.approx(accuracy_score(truth, said), abs=1e-12)
    assert result.macro_f1["value"] == pytest.approx(f1_score(truth, said, average="macro"), abs=1e-12)
    assert (result.unit, result.num_faces) == ("subject", 48)
    assert result.accuracy["low"] <= result.accuracy["value"] <= result.accuracy["high"]


def test_mean_and_spread_are_those_of_the_members(folded: Project) -> None:
    result = pool(folded, EvalSettings(), "folds", [of_fold(folded, 0)])
    values = [one["accuracy"] for one in result.members]
    assert result.spread["accuracy"] == {
        "mean": pytest.approx(np.mean(values)), "std": pytest.approx(np.std(values, ddof=1)), "num": 3,
    }  # fmt: skip


def test_a_second_call_does_nothing(folded: Project) -> None:
    pool(folded, EvalSettings(), "folds", [of_fold(folded, 0)])
    assert pool(folded, EvalSettings(), "folds", [of_fold(folded, 2)]).is_unchanged


def test_faces_that_were_cut_anew_are_refused_by_a_second_call_too(folded: Project) -> None:
    pool(folded, EvalSettings(), "folds", [of_fold(folded, 0)])
    (pack,) = {folded.root / face.path.partition("#")[0] for face in folded.rows(Face)}
    before = pack.read_bytes()
    np.save(pack, 255 - np.load(pack))
    try:
        with pytest.raises(ProjectError, match="other crops than this project has now"):
            pool(folded, EvalSettings(), "folds", [of_fold(folded, 0)])
    finally:
        pack.write_bytes(before)
    assert pool(folded, EvalSettings(), "folds", [of_fold(folded, 0)]).is_unchanged


def test_seeds_show_what_differs_between_equal_trainings(folded: Project) -> None:
    (chosen, other) = (run.run_id for run in list_runs(folded.root)[-2:])
    result = pool(folded, EvalSettings(), "seeds", [chosen])
    assert [(one["run"], one["seed"]) for one in result.members] == [(chosen, 0), (other, 1)]
    assert (result.accuracy, result.spread["macro_f1"]["num"]) == ({}, 2)


def test_an_ensemble_averages_probabilities(folded: Project) -> None:
    names = [run.run_id for run in list_runs(folded.root)[-2:]]
    result = pool(folded, EvalSettings(), "ensemble", names)
    first, second = (
        read_table(folded.root / "runs" / name / "eval/test/predictions.csv", Prediction) for name in names
    )
    for row, one, two in zip(predictions(folded, result), first, second, strict=True):
        assert row.face_id == one.face_id == two.face_id
        for name, share in row.probabilities.items():
            assert share == pytest.approx((one.probabilities[name] + two.probabilities[name]) / 2, abs=1e-6)
        assert row.predicted == max(row.probabilities, key=row.probabilities.__getitem__)
    metrics = next(path for path in result.outputs if path.endswith("metrics.json"))
    assert json.loads((folded.root / metrics).read_text(encoding="utf-8"))["kind"] == "ensemble"


def test_an_ensemble_of_runs_with_other_test_faces_is_refused(folded: Project) -> None:
    with pytest.raises(CheckError, match="were evaluated on different faces or labels: 0 of 32 are the same"):
        pool(folded, EvalSettings(), "ensemble", [of_fold(folded, 0), of_fold(folded, 1)])


def test_the_command_line_pools_and_shows(folded: Project) -> None:
    answer = must("eval", of_fold(folded, 0), "--folds", "-p", folded.root)["result"]
    assert (answer["kind"], answer["num_faces"]) == ("folds", 48)
    code, out, _ = run_fer("eval", of_fold(folded, 0), "--folds", "-p", folded.root)
    assert (code, "mean ± SD" in out, "pooled" in out) == (0, True, True)
    code, _, err = run_fer("eval", "--folds", "--seeds", "-p", folded.root)
    assert (code, "mutually exclusive" in err) == (2, True)


def test_missing_folds_are_named(tmp_path: Path, folded: Project) -> None:
    project = drawn_project(tmp_path / "mine")
    with pytest.raises(InputError, match="split 'default' has no folds"):
        train_series(project, quick(fold="all"))
    write_table(project.split_path("cv"), folded.split_rows("cv"), SplitRow)
    one = train(project, quick(epochs=1, split="cv", fold=1)).run
    with pytest.raises(MissingStageError, match=r"on folds 0, 2 of split 'cv'"):
        pool(project, EvalSettings(), "folds", [one])
    with pytest.raises(MissingStageError, match="by its seed alone"):
        pool(project, EvalSettings(), "seeds", [one])


def test_several_runs_at_once_are_no_single_training(folded: Project) -> None:
    with pytest.raises(UsageError, match="train several runs"):
        train(folded, quick(fold="all"))
    with pytest.raises(UsageError, match="named twice"):
        train_series(folded, quick(seeds=(1, 1)))
