import json
import subprocess
import sys
from pathlib import Path

import pytest

from fercli.models.table.specs import MODELS
from tests.cli.run import run_fer


def test_every_network_is_listed_with_both_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    code, out, _ = run_fer("models", cwd=tmp_path)
    assert code == 0
    assert all(name in out for name in MODELS)
    row = next(line for line in out.splitlines() if line.startswith("sfer-mdfae"))
    spec = MODELS["sfer-mdfae"]
    assert spec.table4 is not None
    assert f"{spec.parameters / 1e6:.3f} M" in row
    assert f"{MODELS['aer-cnn'].parameters:,}" in out
    assert spec.table4.printed in row
    assert f"{spec.paper.authors}, {spec.paper.venue}" in row
    reported = next(line for line in out.split("reported")[1].splitlines() if line.startswith("sfer-mdfae"))
    assert reported.split() == ["sfer-mdfae", *(f"{value:.2f}" for value in spec.reported.values())]


def test_no_column_of_the_list_is_cut_at_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = run_fer("models", cwd=tmp_path)
    assert "\u2026" not in out
    assert all(len(line.rstrip()) <= 80 for line in out.splitlines())
    assert all(name in out for name in (*MODELS, "34.449 G / 204.498 M", "AffectNet-7", "MMSP"))


def test_one_network_is_told_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    code, out, _ = run_fer("models", "sfer-mdfae", cwd=tmp_path)
    assert code == 0
    for words in ("10.3390/s24206748", "KROA", "kroa", "raf-db: adam, lr 3e-05, batch 64", "MS-Celeb-1M"):
        assert words in out


@pytest.mark.parametrize("name", MODELS)
def test_every_network_can_be_told(name: str, tmp_path: Path) -> None:
    assert run_fer("models", name, cwd=tmp_path)[0] == 0


def test_weights_are_told_with_source_and_licence(tmp_path: Path) -> None:
    code, out, _ = run_fer("models", "--weights", cwd=tmp_path)
    assert code == 0
    assert "github.com/ZhaoJ9014/face.evoLVe" in out
    assert "licence" in out


def test_json_has_the_whole_table(tmp_path: Path) -> None:
    code, out, _ = run_fer("models", "--json", cwd=tmp_path)
    found = json.loads(out)
    assert code == 0
    assert found["schema"] == "fer.models/1"
    rows = {row["name"]: row for row in found["result"]["models"]}
    assert rows.keys() == MODELS.keys()
    poster = MODELS["poster"]
    assert poster.table4 is not None
    assert rows["poster"]["table4"]["macs"] == poster.table4.macs
    assert rows["poster"]["recipes"]["raf-db"]["sources"]["sam_rho"] == "paper"


def test_an_unknown_network_exits_2_with_the_nearest_name(tmp_path: Path) -> None:
    code, _, err = run_fer("models", "poster-p", cwd=tmp_path)
    assert code == 2
    assert "Did you mean 'poster-pp'?" in err


@pytest.mark.parametrize("words", [[], ["poster"], ["--weights"], ["--json"]], ids=str)
def test_no_heavy_module_is_loaded(words: list[str], tmp_path: Path) -> None:
    code = (
        f"import sys; from fercli.cli.app import run; run({['models', *words]}); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'cv2', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_a_network_of_torchvision_can_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    code, out, _ = run_fer("models", "torchvision:resnet18", cwd=tmp_path)
    assert code == 0
    for words in ("layer4", "resnet18-f37072fd.pth", "fer train --model torchvision:resnet18"):
        assert words in out
