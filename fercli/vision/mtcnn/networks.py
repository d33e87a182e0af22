"""Load the weights that the mtcnn package ships into three torch networks, without importing the package.

Axes: B picture or crop, C channel, H row, W column, K regression value.
Source: Zhang et al., "Joint Face Detection and Alignment Using Multi-task Cascaded Convolutional Networks",
IEEE SPL 2016, Figure 2; layer sizes as in mtcnn 1.0.0, whose weights these are.
"""

import hashlib
import io
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from fercli.core.errors import InputError

# SHA-256 of the files of mtcnn 1.0.0. They are pickles, so nothing else is ever unpickled.
WEIGHT_FILES = {
    "pnet.lz4": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet.lz4": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet.lz4": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
_REINSTALL = "Install the package again: pip install --force-reinstall --no-deps mtcnn==1.0.0."


class Proposals(NamedTuple):
    """PNet on a picture, one cell for each 12x12 window at stride 2: scores (H W), regressions (H W K)."""

    scores: Tensor
    regressions: Tensor


class Refined(NamedTuple):
    """RNet or ONet on crops: scores (B), regressions (B K), landmarks (B, five x then five y, in box widths).

    RNet has no landmarks: its axis is empty.
    """

    scores: Tensor
    regressions: Tensor
    landmarks: Tensor


class PNet(nn.Module):
    """Scores every 12x12 window of a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_conv(3, 10, 3), nn.MaxPool2d(2, 2, ceil_mode=True), *_conv(10, 16, 3), *_conv(16, 32, 3)
        )
        self.regression = nn.Conv2d(32, 4, 1)
        self.classes = nn.Conv2d(32, 2, 1)

    def forward(self, image_BCHW: Float[Tensor, "1 3 height width"]) -> Proposals:
        """Score one normalised picture."""
        features = self.body(image_BCHW)
        scores = self.classes(features).softmax(dim=1)[0, 1]
        return Proposals(scores, self.regression(features)[0].permute(1, 2, 0))


class RNet(nn.Module):
    """Scores and refines 24x24 crops."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_conv(3, 28, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_conv(28, 48, 3),
            nn.MaxPool2d(3, 2),
            *_conv(48, 64, 2),
        )
        self.dense = nn.Sequential(nn.Linear(576, 128), nn.PReLU(128))
        self.regression = nn.Linear(128, 4)
        self.classes = nn.Linear(128, 2)

    def forward(self, crops_BCHW: Float[Tensor, "crops 3 24 24"]) -> Refined:
        """Score and refine normalised crops."""
        features = self.dense(_flatten(self.body(crops_BCHW)))
        regressions = self.regression(features)
        return Refined(self.classes(features).softmax(dim=1)[:, 1], regressions, regressions[:, :0])


class ONet(nn.Module):
    """Scores and refines 48x48 crops and places five landmarks."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_conv(3, 32, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_conv(32, 64, 3),
            nn.MaxPool2d(3, 2),
            *_conv(64, 64, 3),
            nn.MaxPool2d(2, 2, ceil_mode=True),
            *_conv(64, 128, 2),
        )
        self.dense = nn.Sequential(nn.Linear(1152, 256), nn.PReLU(256))
        self.regression = nn.Linear(256, 4)
        self.landmarks = nn.Linear(256, 10)
        self.classes = nn.Linear(256, 2)

    def forward(self, crops_BCHW: Float[Tensor, "crops 3 48 48"]) -> Refined:
        """Score and refine normalised crops, and place their landmarks."""
        features = self.dense(_flatten(self.body(crops_BCHW)))
        scores = self.classes(features).softmax(dim=1)[:, 1]
        return Refined(scores, self.regression(features), self.landmarks(features))


def load_networks(folder: Path | None = None) -> tuple[PNet, RNet, ONet]:
    """Build the three networks with the weights in `folder`, in evaluation mode.

    Args:
        folder: holds `WEIGHT_FILES`; the installed mtcnn package's when not given.

    Raises:
        InputError: the package or a file of it is missing, or a file is not that of mtcnn 1.0.0.
    """
    folder = folder or _packaged_weights()
    networks = PNet(), RNet(), ONet()
    for network, name in zip(networks, WEIGHT_FILES, strict=True):
        _fill(network, _read_arrays(folder / name))
        network.requires_grad_(False).eval()
    return networks


def _packaged_weights() -> Path:
    # Importing mtcnn would import TensorFlow, which is not installed and aborts beside torch.
    spec = find_spec("mtcnn")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "the package 'mtcnn', which provides the weights of the face detector, is not installed", hint=_REINSTALL
        )
    return Path(spec.submodule_search_locations[0]) / "assets" / "weights"


def _read_arrays(path: Path) -> list[np.ndarray]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read face detector weights '{path}': {error.strerror}", hint=_REINSTALL) from error
    if hashlib.sha256(data).hexdigest() != WEIGHT_FILES[path.name]:
        raise InputError(f"face detector weights '{path}' are not those of mtcnn 1.0.0", hint=_REINSTALL)
    import joblib  # costs 0.2 s, and only a detector that is really built needs it

    arrays: list[np.ndarray] = joblib.load(io.BytesIO(data))
    return arrays


def _fill(network: nn.Module, arrays: list[np.ndarray]) -> None:
    """Put Keras' arrays, in the order of its layers, into the torch layers of the same order."""
    for parameter, array in zip(network.parameters(), arrays, strict=True):
        parameter.data.copy_(torch.from_numpy(_torch_layout(array)))


def _torch_layout(array: np.ndarray) -> np.ndarray:
    if array.ndim == 4:  # kernel: height, width, in, out
        return np.ascontiguousarray(array.transpose(3, 2, 0, 1))
    if array.ndim == 2:  # dense: in, out
        return np.ascontiguousarray(array.T)
    return array.reshape(-1).copy()  # bias, or PReLU's one slope a channel


def _conv(num_in: int, num_out: int, size: int) -> tuple[nn.Conv2d, nn.PReLU]:
    return nn.Conv2d(num_in, num_out, size), nn.PReLU(num_out)


def _flatten(features_BCHW: Tensor) -> Tensor:
    # The weights were trained on columns before rows, channels last.
    return features_BCHW.permute(0, 3, 2, 1).flatten(1)
