import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from fercli.core.commit import Commit
from fercli.core.memory import changed_settings, fingerprint, overwritten_records, read_state, recall, remember
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
    note(tmp_path, "align", RESULT, items={"v/f1": "k"})
    return tmp_path


def note(root: Path, stage: str, result: SampleResult, items: dict[str, str] | None = None) -> None:
    commit = Commit(root)
    remember(commit, stage, "mark", Sample(), result=result, items=items)
    commit.finish()


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


def test_fingerprint_sees_a_table_as_a_commit_will_leave_it(tmp_path: Path) -> None:
    table = tmp_path / "frames.csv"
    table.write_text("a", encoding="utf-8")
    commit = Commit(tmp_path)
    commit.text(table, "b")
    soon = fingerprint(Sample(), [table], commit=commit)
    assert soon != fingerprint(Sample(), [table])
    commit.finish()
    assert soon == fingerprint(Sample(), [table])


def test_call_whose_output_another_overwrites_is_named(remembered: Path) -> None:
    for stage, output in (("predict-a", "one.csv"), ("predict-b", "two.csv")):
        note(remembered, stage, SampleResult(num_faces=1, dropped={}, outputs=(output,)))
    found = overwritten_records(remembered, "predict", ("two.csv",))
    assert [path.name for path in found] == ["predict-b.json"]


def altered(path: Path, **values: object) -> None:
    noted = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**noted, **values}), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [{"result": {}}, {"items": 5}, {"fingerprint": None}, {"settings": {"size": 2}}, {"result": {"num_faces": "x"}}],
    ids=str,
)
def test_record_that_somebody_edited_is_forgotten(remembered: Path, change: dict[str, object]) -> None:
    altered(remembered / ".fer" / "stages" / "align.json", **change)
    assert read_state(remembered, "align") is None
    assert recall(remembered, "align", "mark", SampleResult) is None


def test_record_of_the_version_before_has_no_digest_and_is_read(remembered: Path) -> None:
    path = remembered / ".fer" / "stages" / "align.json"
    noted = json.loads(path.read_text(encoding="utf-8"))
    del noted["digest"]
    path.write_text(json.dumps(noted), encoding="utf-8")
    assert recall(remembered, "align", "mark", SampleResult) is not None


@pytest.mark.parametrize("values", [{}, {"num_faces": 3}, {"outputs": 5}, {"outputs": [], "failures": [5]}], ids=str)
def test_result_that_lacks_what_this_version_asks_for_is_done_again(remembered: Path, values: object) -> None:
    path = remembered / ".fer" / "stages" / "align.json"
    path.write_text(json.dumps({"fingerprint": "mark", "result": values}), encoding="utf-8")
    assert recall(remembered, "align", "mark", SampleResult) is None
