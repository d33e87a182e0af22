from dataclasses import dataclass
from pathlib import Path

import pytest

from fercli.core.memory import changed_settings, fingerprint, forget_overwritten, read_state, recall, remember, reopen
from fercli.core.results import Failure, StageResult


@dataclass(frozen=True)
class Sample:
    size: int = 1


@dataclass(frozen=True, kw_only=True)
class SampleResult(StageResult):
    num_faces: int
    dropped: dict[str, int]


RESULT = SampleResult(
    num_faces=3, dropped={"blurred": 1}, outputs=("faces.csv",), failures=(Failure("v/f1", "damaged"),)
)


@pytest.fixture
def remembered(tmp_path: Path) -> Path:
    (tmp_path / "faces.csv").write_text("face_id\n", encoding="utf-8")
    remember(tmp_path, "align", "mark", Sample(), result=RESULT, items={"v/f1": "k"})
    return tmp_path


def test_an_identical_call_gets_the_same_result_marked_as_unchanged(remembered: Path) -> None:
    known = recall(remembered, "align", "mark", SampleResult)
    assert known is not None
    assert known.is_unchanged
    assert (known.num_faces, known.dropped, known.failures) == (3, {"blurred": 1}, (Failure("v/f1", "damaged"),))


def test_other_inputs_are_not_recalled(remembered: Path) -> None:
    assert recall(remembered, "align", "other", SampleResult) is None


def test_a_lost_output_is_not_recalled(remembered: Path) -> None:
    (remembered / "faces.csv").unlink()
    assert recall(remembered, "align", "mark", SampleResult) is None


def test_a_reopened_run_is_not_recalled_and_keeps_what_stays_done_and_its_settings(remembered: Path) -> None:
    remember(remembered, "align", "mark", Sample(), result=RESULT, items={"v/f1": "k", "v/f2": "k"})
    reopen(remembered, "align", {"v/f2": "k"})
    assert recall(remembered, "align", "mark", SampleResult) is None
    state = read_state(remembered, "align")
    assert state is not None
    assert (state.items, state.settings) == ({"v/f2": "k"}, {"size": 1})


def test_a_damaged_record_is_forgotten(remembered: Path) -> None:
    (remembered / ".fer" / "stages" / "align.json").write_text("{", encoding="utf-8")
    assert recall(remembered, "align", "mark", SampleResult) is None


def test_the_difference_of_settings_is_named(remembered: Path) -> None:
    state = read_state(remembered, "align")
    assert state is not None
    assert state.items == {"v/f1": "k"}
    assert changed_settings(state, Sample(2)) == ["size: 1 -> 2"]


def test_a_fingerprint_follows_settings_and_contents(tmp_path: Path) -> None:
    table = tmp_path / "frames.csv"
    table.write_text("a", encoding="utf-8")
    first = fingerprint(Sample(), [table])
    assert fingerprint(Sample(), [table]) == first
    assert fingerprint(Sample(2), [table]) != first
    table.write_text("b", encoding="utf-8")
    assert fingerprint(Sample(), [table]) != first


def test_run_whose_output_another_has_overwritten_is_forgotten(remembered: Path) -> None:
    for stage, output in (("predict-a", "one.csv"), ("predict-b", "two.csv")):
        remember(remembered, stage, "mark", Sample(), result=SampleResult(num_faces=1, dropped={}, outputs=(output,)))
    forget_overwritten(remembered, "predict", ("two.csv",))
    assert read_state(remembered, "predict-a") is not None
    assert read_state(remembered, "predict-b") is None
