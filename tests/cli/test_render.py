import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fercli.cli.show.lines import show_result
from fercli.cli.show.result import json_object, own_fields, show_error, shown_path
from fercli.core.errors import InputError
from fercli.core.results import Failure, StageResult


@dataclass(frozen=True, kw_only=True)
class Counted(StageResult):
    num_faces: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    kappa: float | None = None


def shown(result: StageResult, capsys: pytest.CaptureFixture[str], root: Path | None = None) -> str:
    show_result("align", result, root)
    return capsys.readouterr().out


def test_counts_are_shown_in_words_and_empty_ones_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(Counted(num_faces=3, dropped={"blurred": 1}), capsys)
    assert "faces" in text
    assert "num_" not in text
    assert "blurred 1" in text
    assert "kappa" not in text


def test_a_name_in_brackets_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(StageResult(warnings=("'[red]' is a class",), failures=(Failure("[bold]a.jpg", "damaged"),)), capsys)
    assert "'[red]' is a class" in text
    assert "[bold]a.jpg: damaged" in text


def test_the_eleventh_failure_is_counted_not_listed(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(StageResult(failures=tuple(Failure(f"p{number}.jpg", "damaged") for number in range(12))), capsys)
    assert "p9.jpg" in text
    assert "p10.jpg" not in text
    assert "and 2 more" in text


def test_unchanged_and_dry_runs_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing to do" in shown(StageResult(is_unchanged=True), capsys)
    text = shown(StageResult(is_dry_run=True, plan=("cut 3 faces",)), capsys)
    assert "nothing was written" in text
    assert "would cut 3 faces" in text


def test_failed_check_takes_away_the_tick(capsys: pytest.CaptureFixture[str]) -> None:
    assert "✗ align" in shown(StageResult(failed_checks=("Two subjects leak.",)), capsys)


def test_json_is_ok_only_without_failures_and_failed_checks() -> None:
    for result, is_ok in (
        (StageResult(), True),
        (StageResult(failures=(Failure("a", "b"),)), False),
        (StageResult(failed_checks=("c",)), False),
        (StageResult(warnings=("w",)), True),
    ):
        assert json.loads(json_object("labels import", result, None))["ok"] is is_ok
    assert json.loads(json_object("labels import", StageResult(), None))["schema"] == "fer.labels.import/1"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")], ids=str)
def test_json_has_only_finite_numbers_and_posix_paths(number: float) -> None:
    text = json_object("align", Counted(kappa=number, outputs=("faces/a.png",)), Path("/p"))
    values = json.loads(text, parse_constant=lambda word: pytest.fail(word))
    assert values["result"]["kappa"] is None
    assert values["outputs"] == ["faces/a.png"]
    assert "outputs" not in values["result"]


def test_json_of_an_error_carries_hint_and_exit_code() -> None:
    error = json.loads(json_object("align", None, None, InputError("gone", hint="Look.")))["error"]
    assert error == {"message": "gone", "hint": "Look.", "exit_code": 4}


def test_paths_are_shown_from_where_the_user_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Path(shown_path("runs/a", tmp_path / "mine")) == Path("mine/runs/a")
    assert Path(shown_path("runs/a", Path("/else"))) == Path("/else/runs/a")


def test_only_a_stages_own_counts_are_its_own() -> None:
    assert own_fields(Counted(num_faces=2, warnings=("w",))) == {"num_faces": 2}


def test_error_is_one_line_with_its_hint_below(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(InputError("'a.csv' is empty", hint="Save it again."))
    assert capsys.readouterr().err == "fer: 'a.csv' is empty\n     Save it again.\n"
