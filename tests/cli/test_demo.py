import json
from pathlib import Path

import pytest

from fercli.cli.show.demo import _cells, show_demo
from fercli.stages.demo.work import DemoResult
from tests.cli.run import run_fer


def test_demo_shows_every_stage_and_whether_it_was_done_before(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (
        {"stage": "align", "made": "9 faces kept", "seconds": 2.5},
        {"stage": "", "made": "found", "value": 0.5, "bound": 0.9},
    )
    show_demo(DemoResult(root="d", rows=rows))
    show_demo(DemoResult(root="d", rows=rows, is_unchanged=True))
    said = capsys.readouterr().out
    assert " ".join(said.split()).count("each stage compared with the ground truth") == 2
    assert [line.split() for line in said.splitlines() if "faces" in line or "found" in line] == [
        ["│", "align", "│", "9", "faces", "kept", "│", "│", "│", "2.5", "│"],
        ["│", "│", "found", "│", "50.0%", "│", "90%", "│", "│"],
    ] * 2
    assert [line for line in said.splitlines() if line.startswith("demo: ")] == [
        "demo: done",
        "demo: done before, nothing has changed",
    ]


def test_dry_run_of_a_demo_only_plans(tmp_path: Path) -> None:
    code, out, _ = run_fer("demo", tmp_path / "d", "--dry-run")
    assert code == 0
    assert "draw 72 pupils" in out
    told = json.loads(run_fer("demo", tmp_path / "d", "--dry-run", "--json")[1])
    assert (told["schema"], told["ok"], told["result"]["is_dry_run"]) == ("fer.demo/1", True, True)
    assert not (tmp_path / "d").exists()


def test_demo_in_a_full_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    code, _, error = run_fer("demo", tmp_path)
    assert code == 2
    assert "not empty" in error


def test_figure_below_its_bound_is_red() -> None:
    assert _cells({"value": 0.5, "bound": 0.7}) == ("[red]50.0%[/red]", "70%", "")
    assert _cells({"value": 0.8, "bound": 0.7}) == ("[green]80.0%[/green]", "70%", "")
    assert _cells({"seconds": 1.25}) == ("", "", "1.2")
