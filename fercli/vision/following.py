"""Find faces in frames of a still camera: search some frames, and look at the same places in those between."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from fercli.vision.detection import Detection
from fercli.vision.mtcnn.detector import FaceDetector
from fercli.vision.tracks import match_boxes

Image = UInt8[np.ndarray, "height width 3"]

# RNet is shown each last place in three sizes: heads lean, and one window that fits badly is no reason to search.
_SIZES = (1.0, 0.87, 1.15)
_SAME_FACE_OVERLAP = 0.3
# A face that is not at its place is searched for in a square of so many face sizes about it. Sides are multiples of
# 64 pixels, for OpenVINO keeps a model for each size of picture.
_REGION, _REGION_STEP_PX = 3.0, 64


class FaceFollower:
    """Finds faces in frames that come in order; what it finds depends on the frames of the same chunk alone."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._chunk = ""
        # Where each face of the chunk was seen last; one that is not seen for a moment is looked for there again.
        self._last: list[Detection] = []

    def find(self, image: Image, chunk: str) -> list[Detection]:
        """The faces of the next frame, most confident first.

        Args:
            image: RGB.
            chunk: the whole frame is searched when this is another than the last frame's, or empty.
        """
        is_next = bool(chunk) and chunk == self._chunk
        if is_next:
            return self._follow(image)
        self._chunk, self._last = chunk, self._detector.detect([image])[0]
        return list(self._last)

    def _follow(self, image: np.ndarray) -> list[Detection]:
        places = _boxes(self._last)
        near = self._detector.detect_near(image, np.concatenate([_resized(places, size) for size in _SIZES]))
        partners = match_boxes(places, _boxes(near), _SAME_FACE_OVERLAP)
        found = {old: face for old, face in zip(partners, near, strict=True) if old is not None}
        for place, face in enumerate(self._last):
            if place not in found:
                again = self._search_about(image, face, list(found.values()))
                if again is not None:
                    found[place] = again
        self._last = [found.get(place, face) for place, face in enumerate(self._last)]
        return sorted(found.values(), key=lambda face: -face.confidence)

    def _search_about(self, image: np.ndarray, lost: Detection, others: Sequence[Detection]) -> Detection | None:
        """The face nearest to where `lost` was, within its size, that is none of `others`."""
        left, top, side = _region(lost, image.shape)
        region = np.ascontiguousarray(image[top : top + side, left : left + side])
        faces = [_shifted(face, left, top) for face in self._detector.detect([region])[0]]
        taken = match_boxes(_boxes(others), _boxes(faces), _SAME_FACE_OVERLAP)
        free = [face for face, partner in zip(faces, taken, strict=True) if partner is None]
        near = [face for face in free if _distance(face, lost) <= max(lost.width, lost.height)]
        return min(near, key=lambda face: _distance(face, lost), default=None)


def _boxes(faces: Sequence[Detection]) -> np.ndarray:
    return np.array([(face.left, face.top, face.width, face.height) for face in faces], dtype=float).reshape(-1, 4)


def _resized(boxes: np.ndarray, size: float) -> np.ndarray:
    grown = boxes[:, 2:] * size
    return np.concatenate([boxes[:, :2] - (grown - boxes[:, 2:]) / 2, grown], axis=1)


def _region(face: Detection, shape: tuple[int, ...]) -> tuple[int, int, int]:
    side = _REGION * max(face.width, face.height)
    side_px = int(np.ceil(side / _REGION_STEP_PX)) * _REGION_STEP_PX
    corner = (face.left + face.width / 2 - side_px / 2, face.top + face.height / 2 - side_px / 2)
    left, top = (
        int(min(max(place, 0), max(length - side_px, 0)))
        for place, length in zip(corner, (shape[1], shape[0]), strict=True)
    )
    return left, top, side_px


def _shifted(face: Detection, left: int, top: int) -> Detection:
    return replace(face, left=face.left + left, top=face.top + top, landmarks=face.landmarks + np.array([left, top]))


def _distance(face: Detection, other: Detection) -> float:
    across = face.left + face.width / 2 - other.left - other.width / 2
    return float(np.hypot(across, face.top + face.height / 2 - other.top - other.height / 2))
