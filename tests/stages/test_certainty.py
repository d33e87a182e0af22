"""Temperatures, thresholds and people beside the model: what `fer eval` keeps and `fer predict` takes."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fercli.core.errors import InputError, MissingStageError, UsageError
from fercli.core.project import Project, open_project
from fercli.core.rows import Prediction, SplitRow
from fercli.core.runs import find_run
from fercli.core.tables import read_table, write_table
from fercli.metrics.calibration import calibration
from fercli.metrics.evaluation import arrays_of
from fercli.metrics.temperature import with_temperature
from fercli.stages.evaluate import EvalResult, EvalSettings, evaluate
from fercli.stages.evaluate.fitting import temperature_of
from fercli.stages.predict import FacePrediction, PredictSettings, predict
from tests.stages.trained import CLASSES, RUN_ID, trained_project, write_run

RUN = f"runs/{RUN_ID}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, EvalResult]:
    """Twelve subjects: five test, six val; evaluated with a target that the untrained run can reach."""
    project = trained_project(tmp_path_factory.mktemp("sure") / "mine", num_subjects=12)
    rows = [
        SplitRow(row.face_id, "test" if number >= 21 else "val" if number >= 3 else "train")
        for number, row in enumerate(project.split_rows("default"))
    ]
    write_table(project.root / RUN / "split.csv", rows, SplitRow)
    shutil.rmtree(project.root / RUN / "eval", ignore_errors=True)
    (project.root / RUN / "crops.csv").unlink()
    return project, evaluate(project, EvalSettings(target_accuracy=0.3))


@pytest.fixture
def project(made: tuple[Project, EvalResult], tmp_path: Path) -> Project:
    shutil.copytree(made[0].root, tmp_path / "mine")
    return open_project(tmp_path / "mine")


def read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def test_the_temperature_is_fitted_on_the_validation_faces_alone(made: tuple[Project, EvalResult]) -> None:
    project, result = made
    kept = read_table(project.root / RUN / "calibration.csv", Prediction)
    assert {row.split for row in kept} == {"val"}
    assert {row.subject_id for row in kept} == {f"s{number:03d}" for number in range(1, 7)}
    expected = temperature_of(kept, CLASSES, 0)
    record = read_json(project.root / RUN / "calibration.json")["temperature"]
    assert record["value"] == result.doubt["temperature"]["value"] == expected.value.value
    assert (record["num_faces"], record["num_units"], record["unit"]) == (18, 6, "subject")


def test_both_forms_are_scored_on_the_test_faces(made: tuple[Project, EvalResult]) -> None:
    project, result = made
    rows = read_table(project.root / RUN / "eval/test/predictions.csv", Prediction)
    probabilities, targets = arrays_of(rows, CLASSES)
    for name, form in (
        ("raw", probabilities),
        ("calibrated", with_temperature(probabilities, result.doubt["temperature"]["value"])),
    ):
        for measure in ("ece", "brier", "nll"):
            assert result.doubt[name][measure]["value"] == pytest.approx(
                getattr(calibration(form, targets), measure), abs=1e-12
            )
            assert result.doubt[name][measure]["low"] is not None
    assert read_json(project.root / RUN / "eval/test/metrics.json")["doubt"] == result.doubt


def test_a_threshold_of_the_validation_set_is_tried_on_the_test_set(made: tuple[Project, EvalResult]) -> None:
    project, result = made
    found = result.doubt["raw"]["selective"]
    limit = found["threshold"]["value"]
    rows = read_table(project.root / RUN / "eval/test/predictions.csv", Prediction)
    accepted = [row for row in rows if max(row.probabilities.values()) >= limit]
    assert found["reached"]["num_accepted"] == len(accepted)
    assert found["reached"]["coverage"]["value"] == pytest.approx(len(accepted) / len(rows))


def test_model_and_annotators_meet_the_same_votes(made: tuple[Project, EvalResult]) -> None:
    _, result = made
    # All three annotators of each face agree, so people reach 1 by both rules, and the model its accuracy.
    for rule in ("majority", "votes"):
        found = result.people[rule]
        assert (found["human"]["value"], found["num_faces"], found["num_votes"]) == (1.0, 15, 45)
        assert found["model"]["value"] == pytest.approx(result.accuracy["value"])


@pytest.mark.parametrize("name", ["risk_coverage.png", "reliability_calibrated.png"])
def test_figures_are_written(made: tuple[Project, EvalResult], name: str) -> None:
    picture = cv2.imread(str(made[0].root / RUN / "eval/test" / name))
    assert picture is not None
    assert picture.std() > 5
    assert f"{RUN}/eval/test/{name}" in made[1].outputs


def test_the_same_call_is_known_and_another_target_predicts_nothing_again(project: Project) -> None:
    assert evaluate(project, EvalSettings(target_accuracy=0.3)).is_unchanged
    # Weights that cannot be read are not missed: nothing is predicted again.
    (project.root / RUN / "checkpoints/best.safetensors").write_bytes(b"gone")
    result = evaluate(project, EvalSettings(target_accuracy=0.35))
    assert result.doubt["target_accuracy"] == 0.35
    assert result.doubt["temperature"]["value"] is not None


def test_calibration_shown_on_the_faces_that_it_was_fitted_on_is_said_to_be(
    project: Project, made: tuple[Project, EvalResult]
) -> None:
    words = "The temperature and the thresholds were fitted on these same faces"
    assert any(words in one for one in evaluate(project, EvalSettings(split="val")).warnings)
    assert not any(words in one for one in made[1].warnings)


def test_without_validation_faces_nothing_is_fitted_and_the_reason_is_given(project: Project) -> None:
    path = project.root / RUN / "split.csv"
    write_table(path, [row for row in read_table(path, SplitRow) if row.split != "val"], SplitRow)
    result = evaluate(project, EvalSettings())
    assert result.doubt["temperature"] == {"value": None, "reason": "the run has no validation faces"}
    assert "calibrated" not in result.doubt
    assert result.doubt["raw"]["selective"] is None
    assert not (project.root / RUN / "calibration.csv").exists()
    assert not (project.root / RUN / "eval/test/reliability_calibrated.png").exists()
    with pytest.raises(MissingStageError, match="the run has no validation faces"):
        predict(project, PredictSettings(calibrated=True, cropped=True), [str(project.root / "faces")])


def crops_of(project: Project) -> list[str]:
    return [str(project.root / "faces/lesson")]


def faces_of(project: Project, folder: str) -> list[FacePrediction]:
    return read_table(project.root / f"exports/predict/{RUN_ID}{folder}/lesson.csv", FacePrediction)


def test_predict_takes_temperature_and_threshold_into_a_folder_of_their_own(project: Project) -> None:
    settings = PredictSettings(out=("csv", "json"), cropped=True)
    plain = predict(project, settings, crops_of(project))
    target = max(0.34, read_best(project))
    asked = PredictSettings(out=("csv", "json"), cropped=True, calibrated=True, target_accuracy=target)
    result = predict(project, asked, crops_of(project))
    temperature = read_json(project.root / RUN / "calibration.json")["temperature"]["value"]
    folder = f"-calibrated-target-{target:g}"
    values = read_json(project.root / f"exports/predict/{RUN_ID}{folder}/lesson.json")
    assert values["temperature"] == temperature
    raw, scaled = faces_of(project, ""), faces_of(project, folder)
    rows = np.array([[face.probabilities[name] for name in CLASSES] for face in raw])
    expected = with_temperature(rows, temperature).round(6)
    np.testing.assert_allclose([[face.probabilities[name] for name in CLASSES] for face in scaled], expected, atol=1e-9)
    below = [float(row.max()) < values["threshold"] for row in expected]
    assert [face.predicted == "uncertain" for face in scaled] == below
    assert result.predicted["uncertain"] == sum(below)
    assert "uncertain" not in plain.predicted
    assert any("are 'uncertain'" in words for words in result.warnings)
    assert predict(project, asked, crops_of(project)).is_unchanged
    assert predict(project, settings, crops_of(project)).is_unchanged


def read_best(project: Project) -> float:
    """The best accuracy that a threshold gives on the validation faces, in steps of a tenth."""
    kept = read_table(project.root / RUN / "calibration.csv", Prediction)
    temperature = read_json(project.root / RUN / "calibration.json")["temperature"]["value"]
    probabilities, targets = arrays_of(kept, CLASSES)
    scaled = with_temperature(probabilities, temperature)
    sure, right = scaled.max(1), scaled.argmax(1) == targets
    return float(np.floor(10 * max(right[sure >= limit].mean() for limit in sure)) / 10)


def test_an_accuracy_out_of_reach_is_refused_with_the_best_one(project: Project) -> None:
    kept = project.root / RUN / "calibration.csv"
    rows = [row for row in read_table(kept, Prediction) if row.label != row.predicted]
    write_table(kept, rows, Prediction, CLASSES)
    with pytest.raises(InputError, match=r"no threshold gives an accuracy of 90.0% .* at most 0.0%"):
        predict(project, PredictSettings(cropped=True, target_accuracy=0.9), crops_of(project))


def test_before_an_evaluation_predict_names_the_command(project: Project) -> None:
    (project.root / RUN / "calibration.json").unlink()
    with pytest.raises(MissingStageError, match="no temperature and no thresholds") as error:
        predict(project, PredictSettings(calibrated=True), crops_of(project), dry_run=True)
    assert error.value.hint is not None
    assert error.value.hint.startswith("Run: fer eval")


def test_other_weights_have_no_temperature_of_the_old_ones(project: Project) -> None:
    path = find_run(project.root, RUN_ID).folder / "checkpoints/best.json"
    path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(MissingStageError, match="have changed since"):
        predict(project, PredictSettings(calibrated=True), crops_of(project), dry_run=True)


def test_an_ensemble_has_no_temperature(project: Project) -> None:
    write_run(project, f"{RUN_ID}-2")
    with pytest.raises(UsageError, match="an ensemble has no temperature"):
        predict(project, PredictSettings(calibrated=True, ensemble=(f"{RUN_ID}-2",)), crops_of(project), RUN_ID)
