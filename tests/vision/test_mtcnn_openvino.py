"""OpenVINO's networks against torch's, and its faces against those of `fast` in torch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fercli.vision.detection import Detection
from fercli.vision.images import read_image
from fercli.vision.mtcnn.detector import FaceDetector
from fercli.vision.mtcnn.torch import TorchNetworks

pytest.importorskip("fercli.vision.mtcnn.quiet_openvino", exc_type=ImportError)

from fercli.vision.mtcnn.openvino import OpenVinoNetworks

CLASSROOM = Path(__file__).parent / "golden" / "classroom-1.jpg"


@pytest.fixture(scope="module")
def networks() -> tuple[OpenVinoNetworks, TorchNetworks]:
    return OpenVinoNetworks("f32", 1), TorchNetworks(torch.device("cpu"))


def crops(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


# The second is large enough for a model of its own.
@pytest.mark.parametrize("shape", [(12, 40), (230, 251)])
def test_pnet_is_torchs(networks: tuple[OpenVinoNetworks, TorchNetworks], shape: tuple[int, int]) -> None:
    level = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for ours, torchs in zip(networks[0].propose(level), networks[1].propose(level), strict=True):
        np.testing.assert_allclose(ours, torchs, rtol=0, atol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 33])
def test_rnet_and_onet_are_torchs(networks: tuple[OpenVinoNetworks, TorchNetworks], count: int) -> None:
    for side, call in ((24, "refine"), (48, "place")):
        answers = (getattr(one, call)(crops(count, side)) for one in networks)
        for ours, torchs in zip(*answers, strict=True):
            np.testing.assert_allclose(ours, torchs, rtol=0, atol=1e-3)


def found(device: str) -> list[Detection]:
    return sorted(
        FaceDetector(device=device).detect([read_image(CLASSROOM)])[0], key=lambda face: (face.left, face.top)
    )


def test_faces_in_f32_are_those_of_torch() -> None:
    ours, torchs = found("openvino:f32"), found("cpu")
    assert len(ours) == len(torchs) == 12
    for one, other in zip(ours, torchs, strict=True):
        np.testing.assert_allclose(one.landmarks, other.landmarks, rtol=0, atol=0.05)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


def test_faces_in_bf16_are_near_those_of_torch() -> None:
    ours, torchs = found("openvino:bf16"), found("cpu")
    assert len(ours) == len(torchs) == 12
    for one, other in zip(ours, torchs, strict=True):
        assert np.abs(one.landmarks - other.landmarks).max() < 0.03 * other.width


def test_a_class_of_one_model_and_of_many_sizes_is_the_same() -> None:
    image, detector = read_image(CLASSROOM), FaceDetector(device="openvino")
    before = detector.detect([image])[0]
    detector.detect([np.zeros((side, 400, 3), np.uint8) for side in range(300, 340)])
    after = detector.detect([image])[0]
    assert [(face.left, face.confidence) for face in before] == [(face.left, face.confidence) for face in after]
