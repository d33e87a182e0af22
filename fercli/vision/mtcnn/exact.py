"""Detect faces exactly as mtcnn 1.0.0 does, in torch.

Source: Zhang et al., IEEE SPL 2016; constants, order of steps and suppression of doubles as in mtcnn 1.0.0.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from fercli.vision.mtcnn.boxes import Overlap, best_first, keep_mtcnn, place_landmarks, propose, refine, squared
from fercli.vision.mtcnn.networks import Refined, load_networks
from fercli.vision.mtcnn.scales import WINDOW_PX, level_scales

_PYRAMID_FACTOR = 0.709
_THRESHOLDS = (0.6, 0.7)
_SAME_LEVEL_OVERLAP, _OVERLAP = 0.5, 0.7
# RNet's activations of 128 crops still fit the processor's cache.
_CHUNK = 128

Found = tuple[Float[np.ndarray, "faces 4"], Float[np.ndarray, " faces"], Float[np.ndarray, "faces 5 2"]]


class ExactCascade:
    """The three networks one after the other, as mtcnn 1.0.0 runs them."""

    def __init__(self, min_face_px: int, min_confidence: float, device: torch.device) -> None:
        self._min_face_px, self._device = min_face_px, device
        self._thresholds = (*_THRESHOLDS, min_confidence)
        self._pnet, self._rnet, self._onet = (network.to(device) for network in load_networks())

    @torch.inference_mode()
    def find(self, image: UInt8[np.ndarray, "height width 3"]) -> Found:
        """Boxes (x1 y1 x2 y2), scores and landmarks in pixels, best first."""
        with _full_precision(self._device):
            return self._refined(image, self._proposals(image))

    @torch.inference_mode()
    def find_near(self, image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "boxes 4"]) -> Found:
        """The faces that RNet and ONet confirm at `boxes`, which stand in for PNet's."""
        with _full_precision(self._device):
            return self._refined(image, squared(boxes))

    def _refined(self, image: np.ndarray, boxes: np.ndarray) -> Found:
        pixels = torch.from_numpy(np.require(image, requirements=["C", "W"])).to(self._device)
        boxes, _, _ = self._stage(self._rnet, pixels, boxes, threshold=self._thresholds[1], overlap="union")
        return self._stage(self._onet, pixels, squared(boxes), threshold=self._thresholds[2], overlap="min")

    def _proposals(self, image: np.ndarray) -> np.ndarray:
        """PNet's windows over all levels, as squares in pixels of the frame."""
        levels = [self._propose_level(level, scale) for scale, level in self._pyramid(image)]
        if not levels:
            return np.zeros((0, 4))
        boxes = np.concatenate([level[0] for level in levels])
        scores = np.concatenate([level[1] for level in levels])
        boxes = boxes[best_first(scores)]
        return squared(boxes[keep_mtcnn(boxes, _OVERLAP, "union")])

    def _propose_level(self, level: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        image_BCHW = torch.from_numpy(level).to(self._device).permute(2, 0, 1)[None]
        found = self._pnet(_normalised(image_BCHW).contiguous())
        scores, regressions = found.scores.cpu().numpy(), found.regressions.cpu().numpy()
        boxes, best = propose(scores, regressions, self._thresholds[0])
        boxes = boxes / scale
        kept = keep_mtcnn(boxes, _SAME_LEVEL_OVERLAP, "union")
        return boxes[kept], best[kept]

    def _stage(
        self, network: nn.Module, pixels: Tensor, boxes: np.ndarray, *, threshold: float, overlap: Overlap
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `network` leaves of square `boxes`, best first; RNet's landmarks are empty (n 0 2)."""
        side = 48 if network is self._onet else 24
        refined = self._run(network, pixels, boxes, side)
        scores = refined.scores.cpu().double().numpy()
        landmarks = place_landmarks(boxes, refined.landmarks.cpu().double().numpy())
        boxes = refine(boxes, refined.regressions.cpu().double().numpy())
        found = np.nonzero(scores > threshold)[0]
        order = found[best_first(scores[found])]
        order = order[keep_mtcnn(boxes[order], _OVERLAP, overlap)]
        return boxes[order], scores[order], landmarks[order]

    def _run(self, network: nn.Module, pixels: Tensor, boxes: np.ndarray, side: int) -> Refined:
        chunks = [boxes[start : start + _CHUNK] for start in range(0, max(len(boxes), 1), _CHUNK)]
        outputs: list[Refined] = [network(_sample_crops(pixels, chunk, side)) for chunk in chunks]
        return Refined(*(torch.cat(parts) for parts in zip(*outputs, strict=True)))

    def _pyramid(self, image: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        """Scale and pixels of each level, from the largest to the last that a window still fits into."""
        source = image.astype(np.float32)
        for scale in level_scales(image.shape, WINDOW_PX / self._min_face_px, _PYRAMID_FACTOR):
            height, width = (max(int(side * scale), 1) for side in image.shape[:2])
            how = cv2.INTER_AREA if height <= image.shape[0] else cv2.INTER_LINEAR
            yield scale, np.asarray(cv2.resize(source, (width, height), interpolation=how))


def _full_precision(device: torch.device) -> AbstractContextManager[None]:
    """Convolutions of a GPU in float32: cuDNN rounds them to TF32, ten bits, unless told otherwise."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if device.type == "cuda" else nullcontext()


def _normalised(pixels: Tensor) -> Tensor:
    return (pixels.float() - 127.5) / 128


def _sample_crops(pixels: Tensor, boxes: np.ndarray, side: int) -> Float[Tensor, "crops 3 {side} {side}"]:
    """Cut `boxes` out of `pixels` (height width 3) by bilinear sampling, corner to corner, normalised.

    As TensorFlow's crop_and_resize, box coordinates shrink by (length - 1) / length; samples off the frame are 0
    after normalisation.
    """
    height, width = pixels.shape[:2]
    columns, right, x, inside_x = _sample_points(boxes[:, 0], boxes[:, 2], width, side, device=pixels.device)
    rows, below, y, inside_y = _sample_points(boxes[:, 1], boxes[:, 3], height, side, device=pixels.device)
    flat = pixels.reshape(-1, 3)
    x, y = x[:, None, :, None], y[:, :, None, None]

    def at(row: Tensor, column: Tensor) -> Tensor:
        return flat[row[:, :, None] * width + column[:, None, :]].float()

    upper = torch.lerp(at(rows, columns), at(rows, right), x)
    lower = torch.lerp(at(below, columns), at(below, right), x)
    crops = _normalised(torch.lerp(upper, lower, y))
    return (crops * (inside_y[:, :, None, None] & inside_x[:, None, :, None])).permute(0, 3, 1, 2).contiguous()


def _sample_points(
    first: np.ndarray, last: np.ndarray, length: int, side: int, *, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Per box and sample: pixel before, pixel after, weight of the latter, and whether the sample is in the frame."""
    shrink = (length - 1) / length
    steps = np.arange(side) / (side - 1)
    places = (first[:, None] + (last - first)[:, None] * steps) * shrink
    inside = (places >= 0) & (places <= length - 1)
    before = np.clip(np.floor(places), 0, length - 1).astype(np.int64)
    after = np.minimum(before + 1, length - 1)
    weight = (places - before).astype(np.float32)
    return tuple(torch.from_numpy(part).to(device) for part in (before, after, weight, inside))  # type: ignore[return-value] # four of them
