"""Detect faces in frames: MTCNN's cascade on the mtcnn package's own weights, in torch or OpenVINO.

Source: Zhang et al., IEEE SPL 2016; constants and order of steps as in mtcnn 1.0.0.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from fercli.vision.cutting import CuttingRules
from fercli.vision.detection import Detection
from fercli.vision.mtcnn.exact import ExactCascade, Found
from fercli.vision.mtcnn.fast import FastCascade
from fercli.vision.mtcnn.runtime import choose_device, make_networks, torch_device

# The pictures of a batch need not be of one size.
Image = UInt8[np.ndarray, "_ _ 3"]
Mode = Literal["exact", "fast"]


class FaceDetector:
    """Finds faces with MTCNN.

    `exact` gives the boxes of mtcnn 1.0.0. `fast` finds the same faces with a cheaper pyramid and fewer windows (see
    `mtcnn_fast`).

    Args:
        min_face_px: side of the smallest face looked for; cost grows with its inverse square.
        min_confidence: least score of a face; mtcnn's own bound is 0.8.
        mode: see above.
        device: auto, cpu, cuda, cuda:1, mps, openvino, openvino:f32, openvino:bf16; see `mtcnn_runtime.choose_device`.
        num_threads: how many OpenVINO uses; torch has its own number.

    Attributes:
        device: what `device` came to.

    Raises:
        InputError: the weights are missing or altered.
        UsageError: the device is not there.
    """

    def __init__(
        self,
        *,
        min_face_px: int = 20,
        min_confidence: float = 0.8,
        mode: Mode = "fast",
        device: str = "auto",
        num_threads: int | None = None,
    ) -> None:
        if min_face_px < 1:
            raise ValueError(f"min_face_px must be at least 1, not {min_face_px}")
        self.min_face_px = min_face_px
        self.mode = mode
        self.device = choose_device(device, mode=mode)
        self._cascade: ExactCascade | FastCascade
        if mode == "exact":
            self._cascade = ExactCascade(min_face_px, min_confidence, torch_device(self.device))
        else:
            self._cascade = FastCascade(min_face_px, min_confidence, make_networks(self.device, num_threads))

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """The faces of each picture, most confident first; each picture is judged alone, whatever its neighbours."""
        return [_detections(self._cascade.find(image), image.shape) for image in images]

    def detect_near(self, image: Image, boxes: Float[np.ndarray, "boxes 4"]) -> list[Detection]:
        """The faces of one picture at or close to `boxes` (left, top, width, height), most confident first.

        RNet and ONet look at these places alone, which costs a small part of a search.
        """
        corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).astype(np.float64)
        return _detections(self._cascade.find_near(image, corners), image.shape)


def _detections(found: Found, shape: tuple[int, ...]) -> list[Detection]:
    edges = np.array([shape[1], shape[0], shape[1], shape[0]]) - 1
    faces = []
    for box, score, landmarks in zip(*found, strict=True):
        left, top, right, bottom = np.clip(box, 0, edges).tolist()
        faces.append(Detection(left, top, right - left, bottom - top, float(score), landmarks))
    return faces


def make_detector(rules: CuttingRules, device: str = "auto", *, num_threads: int | None = None) -> FaceDetector:
    """A detector that hides nothing which `rules` would keep."""
    min_confidence = min(0.8, rules.min_confidence)
    return FaceDetector(
        min_face_px=rules.min_face_px, min_confidence=min_confidence, device=device, num_threads=num_threads
    )
