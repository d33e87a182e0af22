import json
from pathlib import Path

from fercli.cli.show.demo import _cells
from tests.cli.run import run_fer


def test_demo_shows_every_stage_and_its_json_names_the_figures(tmp_path: Path) -> None:
    words = (
        "demo",
        tmp_path / "d",
        "--subjects",
        4,
        "--seconds",
        "2s",
        "--annotators",
        2,
        "--workers",
        1,
        "--keep-going",
    )
    code, out, _ = run_fer(*words)
    assert code == 5
    assert "each stage compared with the ground truth" in out
    assert "check failed: model_accuracy" in out
    code, out, _ = run_fer(*words, "--json")
    told = json.loads(out)
    assert code == 5
    assert told["schema"] == "fer.demo/1"
    assert not told["ok"]
    assert told["result"]["is_unchanged"]
    assert told["result"]["align_precision"] == 1.0
    assert (tmp_path / "d" / told["outputs"][0]).is_file()


def test_dry_run_of_a_demo_only_plans(tmp_path: Path) -> None:
    code, out, _ = run_fer("demo", tmp_path / "d", "--dry-run")
    assert code == 0
    assert "draw 72 pupils" in out
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
