"""Detect the faces that mtcnn finds, at a fraction of its cost, on any of the runtimes.

What differs from mtcnn 1.0.0, and what each is worth, stands in docs/performance.md: the pyramid, fewer windows for
RNet and ONet, greedy suppression of doubles, crops sampled from bytes.
"""

import math
from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from fercli.vision.mtcnn.boxes import Overlap, best_first, keep_greedy, place_landmarks, propose, refine, squared
from fercli.vision.mtcnn.canvas import lay_out
from fercli.vision.mtcnn.exact import Found
from fercli.vision.mtcnn.runtime import Networks
from fercli.vision.mtcnn.scales import WINDOW_PX, level_scales, with_whole_level

# mtcnn's pyramid begins at 1 and shrinks by 0.709; its networks find faces down to half the size asked for, so fewer
# and smaller levels lose none: on drawn classes down to 13 pixels and on photographs, each face above 0.9 was found.
_LARGEST_SCALE, _PYRAMID_FACTOR = 0.85, 0.62
# mtcnn: 0.6 and 0.7. Few windows for RNet (at 0.85 no face was lost, at 0.9 three of a video), and fewer for ONet: its
# second look lifts true faces, and false ones too, which RNet must keep out. At 0.8 each face of `exact` above 0.9 was
# found in drawn classes, photographs and videos.
_THRESHOLDS = (0.8, 0.8)
# Faces of 10 to 16 pixels, and those that fill the picture, score lower at first (of 24 at 12 pixels 8 were found, with
# these 12; of 35 in crops tighter than the face 26, with these and the last level 34). Small pictures cost little.
_KEEN_LARGEST_SCALE, _KEEN_THRESHOLDS, _KEEN_BELOW_PX, _SMALL_PICTURE_PX = 1.2, (0.5, 0.5), 20, 512 * 512
_WORTH_A_SECOND_LOOK, _SURE = 0.2, 0.97
# Levels below this go to PNet together: nine calls a picture become four.
_SMALL_LEVEL_PX = 40_000
_PROPOSAL_OVERLAP, _RNET_OVERLAP, _ONET_OVERLAP = 0.6, 0.6, 0.7
# OpenCV's remap takes no side above 32767; so many crops of 48 stay below.
_CROPS_AT_ONCE = 512
# What lies beyond the frame is grey: 0 after normalisation, but for half a step.
_GREY = (128, 128, 128)


class FastCascade:
    """The three networks one after the other."""

    def __init__(self, min_face_px: int, min_confidence: float, networks: Networks) -> None:
        self._networks, self._min_face_px = networks, min_face_px
        self._is_keen = min_face_px < _KEEN_BELOW_PX
        self._min_logit = _logit(min_confidence)

    def find(self, image: UInt8[np.ndarray, "height width 3"]) -> Found:
        """Boxes (x1 y1 x2 y2), scores and landmarks in pixels, best first."""
        return self.find_near(image, self._proposals(image))

    def find_near(self, image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "boxes 4"]) -> Found:
        """The faces that RNet and ONet confirm at `boxes`, which stand in for PNet's."""
        boxes = squared(boxes)
        logits, regressions = self._networks.refine(sample_crops(image, boxes, 24))
        boxes = refine(boxes, regressions.astype(np.float64))
        order = _best_kept(boxes, logits, limit=self._limits(image)[1], threshold=_RNET_OVERLAP, overlap="union")
        boxes, logits, landmarks = self._placed(image, boxes[order])
        doubtful = np.nonzero((logits > _logit(_WORTH_A_SECOND_LOOK)) & (logits <= _logit(_SURE)))[0]
        # A face whose window fitted badly scores low at first; one that is none does so again.
        again = self._placed(image, boxes[doubtful])
        better = again[1] > logits[doubtful]
        for first, second in zip((boxes, logits, landmarks), again, strict=True):
            first[doubtful[better]] = second[better]
        order = _best_kept(boxes, logits, limit=self._min_logit, threshold=_ONET_OVERLAP, overlap="min")
        return boxes[order], _sigmoid(logits[order]), landmarks[order]

    def _limits(self, image: np.ndarray) -> tuple[float, float]:
        """The least logits of PNet and RNet."""
        is_keen = self._is_keen or image.shape[0] * image.shape[1] <= _SMALL_PICTURE_PX
        first, second = _KEEN_THRESHOLDS if is_keen else _THRESHOLDS
        return _logit(first), _logit(second)

    def _placed(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """ONet's boxes, logits and landmarks for `boxes`."""
        boxes = squared(boxes)
        logits, regressions, shares = self._networks.place(sample_crops(image, boxes, 48))
        landmarks = place_landmarks(boxes, shares.astype(np.float64))
        return refine(boxes, regressions.astype(np.float64)), logits.copy(), landmarks

    def _proposals(self, image: np.ndarray) -> np.ndarray:
        """PNet's windows over all levels, in pixels of the frame."""
        limit = self._limits(image)[0]
        found = [self._best_cells(*cells, limit=limit) for cells in self._cells(image)]
        if not found:
            return np.zeros((0, 4))
        boxes, logits = (np.concatenate(parts) for parts in zip(*found, strict=True))
        boxes = boxes[best_first(logits)]
        return np.asarray(boxes[keep_greedy(boxes, _PROPOSAL_OVERLAP, "union")])

    def _cells(self, image: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """PNet's logits and regressions of each level, and its scale."""
        small: list[tuple[np.ndarray, np.ndarray]] = []
        for level, scale in self._pyramid(image):
            if level.shape[0] * level.shape[1] < _SMALL_LEVEL_PX:
                small.append((level, scale))
            else:
                yield *self._networks.propose(level), scale
        if small:
            levels, scales = zip(*small, strict=True)
            canvas, places = lay_out(levels)
            logits, regressions = self._networks.propose(canvas)
            for place, scale in zip(places, scales, strict=True):
                yield logits[place], regressions[place], scale

    def _best_cells(
        self, logits: np.ndarray, regressions: np.ndarray, scale: np.ndarray, *, limit: float
    ) -> tuple[np.ndarray, np.ndarray]:
        # Only the best of nine neighbours: their windows share 5/6 of a side, and most of NMS's work is saved.
        is_best = logits >= cv2.dilate(logits, np.ones((3, 3), np.uint8))
        boxes, best = propose(np.where(is_best, logits, -np.inf), regressions, limit)
        return boxes / np.concatenate([scale, scale]), best

    def _pyramid(self, image: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pixels of each level and its scale along x and y, from the largest level on."""
        # Halving is exact and cheap; each level is then shrunk by less than 2 from the nearest copy.
        source, halved = image, 1.0
        height, width = image.shape[:2]
        largest = (_KEEN_LARGEST_SCALE if self._is_keen else _LARGEST_SCALE) * WINDOW_PX / self._min_face_px
        for scale in with_whole_level(level_scales(image.shape, largest, _PYRAMID_FACTOR), image.shape):
            while halved / 2 >= scale and min(source.shape[:2]) >= 2:
                source = _shrunk(source, source.shape[1] // 2, source.shape[0] // 2, cv2.INTER_AREA)
                halved /= 2
            size = int(width * scale), int(height * scale)
            level = _shrunk(source, *size, cv2.INTER_LINEAR)
            yield level, np.array(size) / (width, height)


def sample_crops(
    image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "boxes 4"], side: int
) -> UInt8[np.ndarray, "boxes {side} {side} 3"]:
    """Cut `boxes` out by bilinear sampling, corner to corner; what lies beyond the frame is grey.

    As TensorFlow's crop_and_resize, box coordinates shrink by (length - 1) / length.
    """
    height, width = image.shape[:2]
    x = _sample_places(boxes[:, 0], boxes[:, 2], width, side)
    y = _sample_places(boxes[:, 1], boxes[:, 3], height, side)
    crops = np.empty((len(boxes), side, side, 3), np.uint8)
    for start in range(0, len(boxes), _CROPS_AT_ONCE):
        part = slice(start, start + _CROPS_AT_ONCE)
        shape = (len(x[part]), side, side)
        map_x = np.broadcast_to(x[part, None, :], shape).reshape(-1, side)
        map_y = np.broadcast_to(y[part, :, None], shape).reshape(-1, side)
        drawn = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=_GREY)
        crops[part] = drawn.reshape(*shape, 3)
    return crops


def _sample_places(first: np.ndarray, last: np.ndarray, length: int, side: int) -> np.ndarray:
    steps = np.arange(side) / (side - 1)
    places = (first[:, None] + (last - first)[:, None] * steps) * ((length - 1) / length)
    return np.asarray(places.astype(np.float32))


def _best_kept(
    boxes: np.ndarray, logits: np.ndarray, *, limit: float, threshold: float, overlap: Overlap
) -> np.ndarray:
    """Places of the boxes above `limit` that greedy suppression keeps, best first."""
    found = np.nonzero(logits > limit)[0]
    order = found[best_first(logits[found].astype(np.float64))]
    return np.asarray(order[keep_greedy(boxes[order], threshold, overlap)])


def _logit(score: float) -> float:
    share = min(max(score, 1e-9), 1 - 1e-9)
    return math.log(share / (1 - share))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))


def _shrunk(image: np.ndarray, width: int, height: int, how: int) -> np.ndarray:
    return np.asarray(cv2.resize(image, (width, height), interpolation=how))
