"""The packaged weights: only they are ever unpickled, and they are loaded without TensorFlow."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from fercli.core.errors import InputError
from fercli.vision.mtcnn import networks as mtcnn_networks
from fercli.vision.mtcnn.networks import WEIGHT_FILES, load_networks


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    spec = find_spec("mtcnn")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    source = Path(spec.submodule_search_locations[0]) / "assets" / "weights"
    for name in WEIGHT_FILES:
        shutil.copy(source / name, tmp_path / name)
    return tmp_path


def test_networks_have_the_papers_outputs() -> None:
    pnet, rnet, onet = load_networks()
    assert pnet(torch.zeros(1, 3, 12, 12)).scores.shape == (1, 1)
    assert rnet(torch.zeros(2, 3, 24, 24)).regressions.shape == (2, 4)
    assert onet(torch.zeros(2, 3, 48, 48)).landmarks.shape == (2, 10)


def test_altered_weights_are_refused_before_they_are_unpickled(weights: Path) -> None:
    data = bytearray((weights / "rnet.lz4").read_bytes())
    data[1000] ^= 1
    (weights / "rnet.lz4").write_bytes(data)
    with pytest.raises(InputError, match=r"rnet\.lz4' are not those of mtcnn 1\.0\.0") as caught:
        load_networks(weights)
    assert "pip install" in caught.value.hint


def test_missing_weights_are_named(weights: Path) -> None:
    (weights / "onet.lz4").unlink()
    with pytest.raises(InputError, match=r"onet\.lz4'"):
        load_networks(weights)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mtcnn_networks, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"package 'mtcnn'.* is not installed"):
        load_networks()


def test_loading_imports_neither_mtcnn_nor_tensorflow() -> None:
    code = (
        "import sys; from fercli.vision.mtcnn.networks import load_networks; load_networks();"
        "sys.exit(int('mtcnn' in sys.modules or 'tensorflow' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
