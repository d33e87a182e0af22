import json

import pytest

from fercli.core.rows import Prediction
from fercli.metrics.evaluation import calibration_of, evaluate, evaluation_record, scores_by_subject, without

EMOTIONS = ("happy", "neutral", "tired")


def prediction(number: int, label: str, predicted: str, subject: str = "", sure: float = 0.8) -> Prediction:
    rest = (1 - sure) / 2
    shares = {emotion: sure if emotion == predicted else rest for emotion in EMOTIONS}
    return Prediction(f"v/f{number:06d}-0", subject, "v", "test", label, predicted, shares)


@pytest.fixture
def rows() -> list[Prediction]:
    """Six subjects of three faces; each subject's tired face is called neutral by the first two."""
    return [
        prediction(10 * subject + place, label, "neutral" if label == "tired" and subject < 2 else label, f"s{subject}")
        for subject in range(6)
        for place, label in enumerate(EMOTIONS)
    ]


def test_accuracy_counts_all_faces(rows: list[Prediction]) -> None:
    assert evaluate(rows, EMOTIONS, seed=0).scores.accuracy == pytest.approx(16 / 18)


def test_the_record_says_what_was_resampled(rows: list[Prediction]) -> None:
    record = evaluation_record(evaluate(rows, EMOTIONS, seed=0))
    assert record["accuracy"]["unit"] == "subject"
    assert record["interval"]["num_units"] == 6
    assert record["accuracy"]["low"] < record["accuracy"]["value"] <= record["accuracy"]["high"]


def test_the_record_names_each_class_with_its_figures(rows: list[Prediction]) -> None:
    per_class = evaluation_record(evaluate(rows, EMOTIONS, seed=0))["per_class"]
    assert per_class["tired"] == {
        "precision": 1.0,
        "recall": pytest.approx(4 / 6),
        "f1": pytest.approx(0.8),
        "support": 6,
        "num_predicted": 4,
    }


def test_the_record_is_json_without_odd_numbers(rows: list[Prediction]) -> None:
    record = evaluation_record(evaluate(rows[:3], EMOTIONS, seed=0))
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_too_few_subjects_are_said_in_the_record(rows: list[Prediction]) -> None:
    record = evaluation_record(evaluate(rows[:6], EMOTIONS, seed=0))
    assert record["accuracy"]["low"] is None
    assert record["accuracy"]["reason"] == record["interval"]["reason"]
    assert record["interval"]["reason"] == "only 2 subjects; a confidence interval needs at least 5"


def test_a_class_without_faces_is_said_in_the_record(rows: list[Prediction]) -> None:
    some = [row for row in rows if row.label != "tired"]
    assert evaluation_record(evaluate(some, EMOTIONS, seed=0))["absent_classes"] == ["tired"]


def test_the_majority_class_is_the_mark_of_a_constant_answer() -> None:
    rows = [prediction(n, "neutral" if n < 3 else "happy", "happy") for n in range(4)]
    assert evaluate(rows, EMOTIONS, seed=0).majority_class == ("neutral", 0.75)


def test_scores_by_subject_tell_who_is_read_worse(rows: list[Prediction]) -> None:
    groups = scores_by_subject(rows, EMOTIONS)
    assert [group.name for group in groups] == ["s0", "s1", "s2", "s3", "s4", "s5"]
    assert [round(group.accuracy, 3) for group in groups] == [0.667, 0.667, 1, 1, 1, 1]


def test_faces_can_be_left_out(rows: list[Prediction]) -> None:
    wrong = {row.face_id for row in rows if row.label != row.predicted}
    assert evaluate(without(rows, wrong), EMOTIONS, seed=0).scores.accuracy == 1


def test_calibration_reads_the_probabilities_of_the_rows(rows: list[Prediction]) -> None:
    assert calibration_of(rows, EMOTIONS).ece == pytest.approx(16 / 18 - 0.8)


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(ValueError, match="class 'jolly' is not among happy, neutral, tired"):
        evaluate([prediction(0, "jolly", "happy")], EMOTIONS, seed=0)


def test_no_prediction_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no face to score"):
        evaluate([], EMOTIONS, seed=0)
