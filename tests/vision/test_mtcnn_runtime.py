"""Which device a name means, and what is said when it is not there."""

import importlib.util
import sys
from types import ModuleType

import pytest
import torch

from fercli.core.errors import UsageError
from fercli.vision.mtcnn.detector import FaceDetector
from fercli.vision.mtcnn.runtime import choose_device

WITH_OPENVINO = pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="openvino is not installed")
WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@pytest.fixture(params=["none", "old"])
def no_openvino(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is installed, or one before 2025.0, whose operations are not in the package itself."""
    for name in ("fercli.vision.mtcnn.quiet_openvino", "openvino.opset13"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "openvino", ModuleType("openvino") if request.param == "old" else None)


@pytest.mark.parametrize("name", ["cuda:99", "telescope", "", "meta", "privateuseone"])
def test_missing_device_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=f"device '{name}' is not available"):
        FaceDetector(device=name)


@WITH_OPENVINO
@WITHOUT_GPU
def test_auto_takes_openvino_where_it_is_installed_and_says_the_precision() -> None:
    assert choose_device("auto") in ("openvino:f32", "openvino:bf16")
    assert FaceDetector().device == choose_device("openvino")


@WITHOUT_GPU
def test_auto_takes_the_processor_otherwise(no_openvino: None) -> None:
    assert choose_device("auto") == "cpu"


@WITHOUT_GPU
def test_exact_arithmetic_is_torchs() -> None:
    assert choose_device("auto", mode="exact") == "cpu"
    with pytest.raises(UsageError, match="does not support --mode exact"):
        choose_device("openvino", mode="exact")


def test_openvino_that_is_not_installed_is_said_with_the_command(no_openvino: None) -> None:
    with pytest.raises(UsageError, match=r"needs the package openvino, 2025\.0 or later, which is not") as caught:
        choose_device("openvino")
    assert "pip install 'fercli[openvino]'" in caught.value.hint


@WITH_OPENVINO
def test_precision_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="'openvino:f16' is not available") as caught:
        choose_device("openvino:f16")
    assert "openvino:bf16" in caught.value.hint


def test_auto_takes_no_gpu_that_other_machines_may_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == "cuda"
    assert choose_device("auto", is_shared=True).startswith(("openvino", "cpu"))
    assert choose_device("auto", mode="exact", is_shared=True) == "cpu"
