"""The rearranged networks against the plain modules, which the tests hold against mtcnn."""

import numpy as np
import pytest
import torch

from fercli.vision.mtcnn.networks import load_networks
from fercli.vision.mtcnn.torch import TorchNetworks

# Float sums in another order.
CLOSE = {"rtol": 0, "atol": 2e-4}


def pixels(*shape: int) -> np.ndarray:
    """Blurred noise, in which PNet sees all kinds of edges."""
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


def normalised(image_BHWC: np.ndarray) -> torch.Tensor:
    return (torch.from_numpy(image_BHWC).permute(0, 3, 1, 2).float() - 127.5) / 128


def logit(scores: torch.Tensor) -> np.ndarray:
    return torch.logit(scores.double()).numpy()


@pytest.mark.parametrize("height", [12, 13, 74, 75, 76, 139, 200])
@pytest.mark.parametrize("width", [12, 33])
def test_strips_of_a_level_give_what_the_whole_gives(height: int, width: int) -> None:
    level = pixels(height, width)
    logits, regressions = TorchNetworks(torch.device("cpu")).propose(level)
    whole = load_networks()[0](normalised(level[None]))
    np.testing.assert_allclose(logits, logit(whole.scores), rtol=0, atol=1e-3)
    np.testing.assert_allclose(regressions, whole.regressions.numpy(), **CLOSE)


@pytest.mark.parametrize("count", [0, 1, 65])
def test_rnet_is_the_modules(count: int) -> None:
    crops = pixels(count, 24, 24)
    logits, regressions = TorchNetworks(torch.device("cpu")).refine(crops)
    plain = load_networks()[1](normalised(crops))
    np.testing.assert_allclose(logits, logit(plain.scores), rtol=0, atol=1e-3)
    np.testing.assert_allclose(regressions, plain.regressions.numpy(), **CLOSE)


@pytest.mark.parametrize("count", [0, 1, 17])
def test_onet_is_the_modules(count: int) -> None:
    crops = pixels(count, 48, 48)
    logits, regressions, landmarks = TorchNetworks(torch.device("cpu")).place(crops)
    plain = load_networks()[2](normalised(crops))
    np.testing.assert_allclose(logits, logit(plain.scores), rtol=0, atol=1e-3)
    np.testing.assert_allclose(regressions, plain.regressions.numpy(), **CLOSE)
    np.testing.assert_allclose(landmarks, plain.landmarks.numpy(), **CLOSE)
