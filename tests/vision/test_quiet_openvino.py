"""OpenVINO reports its import to its makers; ours must not."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="openvino is not installed")

IMPORT = """
import sys
{way}
import openvino.tools.ovc.telemetry_utils as reporting
print(reporting.tm.__name__, "openvino_telemetry" in sys.modules)
"""
WAYS = [
    "import fercli.vision.mtcnn.openvino",
    "from fercli.vision.mtcnn.runtime import choose_device; choose_device('auto')",
]


@pytest.mark.parametrize("way", WAYS, ids=["networks", "auto"])
def test_nothing_is_reported_and_no_identity_is_written(tmp_path: Path, way: str) -> None:
    home = {**os.environ, "HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""}
    # Where it takes itself to be in CI it reports nothing anyhow.
    home = {name: value for name, value in home.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    told = subprocess.run(
        [sys.executable, "-c", IMPORT.format(way=way)], check=True, env=home, capture_output=True, text=True
    ).stdout
    assert told.split() == ["openvino.tools.ovc.telemetry_stub", "False"]
    assert list(tmp_path.rglob("*ga_cid*")) == []
