"""Frames to faces: MTCNN's cascade on the mtcnn package's own weights, in torch.

Source: Zhang et al., IEEE SPL 2016; constants and order of steps as in mtcnn 1.0.0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from fercli.core.errors import SettingsError
from fercli.vision.mtcnn_boxes import Overlap, best_first, keep_greedy, keep_mtcnn, propose, refine, squared
from fercli.vision.mtcnn_networks import Refined, load_networks

# The pictures of a batch need not be of one size.
Image = UInt8[np.ndarray, "_ _ 3"]
Mode = Literal["exact", "fast"]

_WINDOW_PX = 12
_PYRAMID_FACTOR = 0.709
_SAME_LEVEL_OVERLAP, _OVERLAP = 0.5, 0.7
# RNet's activations of 128 crops still fit the processor's cache.
_CHUNK = 128


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face: box and landmarks in pixels of the frame; the box is cut at the frame's edge."""

    left: float
    top: float
    width: float
    height: float
    confidence: float
    landmarks: Float[np.ndarray, "5 2"]


class FaceDetector:
    """Finds faces with MTCNN.

    `exact` gives the boxes of mtcnn 1.0.0. `fast` differs in two ways: the pyramid's levels are shrunk from halved
    copies of the frame instead of the frame itself, and doubles are suppressed greedily.

    Args:
        min_face_px: side of the smallest face looked for; cost grows with its inverse square.
        thresholds: least score after each of the three networks.
        mode: see above.
        device: a torch device: cpu, cuda, cuda:1, mps.

    Raises:
        InputError: the weights are missing or altered.
        SettingsError: the device is not there.
    """

    def __init__(
        self,
        *,
        min_face_px: int = 20,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.8),
        mode: Mode = "fast",
        device: str = "cpu",
    ) -> None:
        if min_face_px < 1:
            raise ValueError(f"min_face_px must be at least 1, not {min_face_px}")
        self.min_face_px = min_face_px
        self.thresholds = thresholds
        self.mode = mode
        self._device = _device(device)
        # Channels last is the larger half of the speed on a processor: PNet 1.9x, RNet 2.5x.
        self._memory = torch.contiguous_format if mode == "exact" else torch.channels_last
        pnet, rnet, onet = load_networks()
        self._pnet, self._rnet, self._onet = self._placed(pnet), self._placed(rnet), self._placed(onet)

    @torch.inference_mode()
    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """The faces of each picture, most confident first; each picture is judged alone, whatever its neighbours."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: np.ndarray) -> list[Detection]:
        boxes = self._proposals(image)
        pixels = torch.from_numpy(np.require(image, requirements=["C", "W"])).to(self._device)
        boxes, _, _ = self._stage(self._rnet, pixels, boxes, threshold=self.thresholds[1], overlap="union")
        boxes, scores, landmarks = self._stage(
            self._onet, pixels, squared(boxes), threshold=self.thresholds[2], overlap="min"
        )
        return [
            _detection(box, float(score), points, image.shape)
            for box, score, points in zip(boxes, scores, landmarks, strict=True)
        ]

    def _proposals(self, image: np.ndarray) -> np.ndarray:
        """PNet's windows over all levels, as squares in pixels of the frame."""
        levels = [self._propose_level(level, scale) for scale, level in self._pyramid(image)]
        if not levels:
            return np.zeros((0, 4))
        boxes = np.concatenate([level[0] for level in levels])
        scores = np.concatenate([level[1] for level in levels])
        boxes = boxes[best_first(scores)]
        return squared(boxes[self._keep(boxes, _OVERLAP, "union")])

    def _propose_level(self, level: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        image_BCHW = torch.from_numpy(level).to(self._device).permute(2, 0, 1)[None]
        found = self._pnet(_normalised(image_BCHW).contiguous(memory_format=self._memory))
        scores, regressions = found.scores.cpu().numpy(), found.regressions.cpu().numpy()
        boxes, best = propose(scores, regressions, self.thresholds[0])
        boxes = boxes / scale
        kept = self._keep(boxes, _SAME_LEVEL_OVERLAP, "union")
        return boxes[kept], best[kept]

    def _stage(
        self, network: nn.Module, pixels: Tensor, boxes: np.ndarray, *, threshold: float, overlap: Overlap
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes, scores and landmarks (n 5 2) that `network` leaves of square `boxes`, best first."""
        side = 48 if network is self._onet else 24
        refined = self._run(network, pixels, boxes, side)
        scores = refined.scores.cpu().double().numpy()
        landmarks = _place_landmarks(boxes, refined.landmarks.cpu().double().numpy())
        boxes = refine(boxes, refined.regressions.cpu().double().numpy())
        found = np.nonzero(scores > threshold)[0]
        order = found[best_first(scores[found])]
        order = order[self._keep(boxes[order], _OVERLAP, overlap)]
        return boxes[order], scores[order], landmarks[order]

    def _run(self, network: nn.Module, pixels: Tensor, boxes: np.ndarray, side: int) -> Refined:
        chunks = [boxes[start : start + _CHUNK] for start in range(0, max(len(boxes), 1), _CHUNK)]
        outputs: list[Refined] = [
            network(_sample_crops(pixels, chunk, side).contiguous(memory_format=self._memory)) for chunk in chunks
        ]
        return Refined(*(torch.cat(parts) for parts in zip(*outputs, strict=True)))

    def _placed(self, network: nn.Module) -> nn.Module:
        moved: nn.Module = network.to(self._device).to(memory_format=self._memory)
        return moved

    def _keep(self, boxes: np.ndarray, threshold: float, overlap: Overlap) -> np.ndarray:
        keep = keep_mtcnn if self.mode == "exact" else keep_greedy
        return keep(boxes, threshold, overlap)

    def _pyramid(self, image: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        """Scale and pixels of each level, from the largest to the last that a window still fits into."""
        source = image.astype(np.float32) if self.mode == "exact" else image
        halved = 1.0
        for scale in _scales(image.shape, self.min_face_px):
            # Halving is exact and cheap; each level is then shrunk by less than 2 from the nearest copy.
            while self.mode == "fast" and halved / 2 >= scale:
                source, halved = _resize(source, 0.5 * np.array(source.shape[:2])), halved / 2
            yield scale, _resize(source, scale * np.array(image.shape[:2]))


def _scales(shape: tuple[int, ...], min_face_px: int) -> list[float]:
    # mtcnn 1.0.0 takes the number of levels for min_face_size 20 whatever the size asked for, and from 24 on the
    # smallest levels are smaller than a window, so it finds nothing. Counting what fits is right for any size.
    scale, scales = _WINDOW_PX / min_face_px, []
    while int(min(shape[:2]) * scale) >= _WINDOW_PX:
        scales.append(scale)
        scale *= _PYRAMID_FACTOR
    return scales


def _resize(image: np.ndarray, size: np.ndarray) -> np.ndarray:
    height, width = (max(int(side), 1) for side in size)
    shrinks = height <= image.shape[0]
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized)


def _normalised(pixels: Tensor) -> Tensor:
    return (pixels.float() - 127.5) / 128


def _sample_crops(pixels: Tensor, boxes: np.ndarray, side: int) -> Float[Tensor, "crops 3 {side} {side}"]:
    """Cut `boxes` out of `pixels` (height width 3) by bilinear sampling, corner to corner, normalised.

    As TensorFlow's crop_and_resize, box coordinates shrink by (length - 1) / length; samples off the frame are 0
    after normalisation.
    """
    height, width = pixels.shape[:2]
    columns, right, x, inside_x = _sample_points(boxes[:, 0], boxes[:, 2], width, side, pixels.device)
    rows, below, y, inside_y = _sample_points(boxes[:, 1], boxes[:, 3], height, side, pixels.device)
    flat = pixels.reshape(-1, 3)
    x, y = x[:, None, :, None], y[:, :, None, None]

    def at(row: Tensor, column: Tensor) -> Tensor:
        return flat[row[:, :, None] * width + column[:, None, :]].float()

    upper = torch.lerp(at(rows, columns), at(rows, right), x)
    lower = torch.lerp(at(below, columns), at(below, right), x)
    crops = _normalised(torch.lerp(upper, lower, y))
    return (crops * (inside_y[:, :, None, None] & inside_x[:, None, :, None])).permute(0, 3, 1, 2)


def _sample_points(
    first: np.ndarray, last: np.ndarray, length: int, side: int, device: torch.device
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


def _place_landmarks(boxes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Landmarks (n 5 2) in pixels from ONet's shares of the box, five x before five y; (n 0 2) where there are none."""
    points = shares.reshape(len(boxes), 2, shares.shape[1] // 2).transpose(0, 2, 1)
    sizes = boxes[:, 2:] - boxes[:, :2] + 1
    return np.asarray(points * sizes[:, None] + boxes[:, None, :2] - 1)


def _detection(box: np.ndarray, score: float, landmarks: np.ndarray, shape: tuple[int, ...]) -> Detection:
    edges = np.array([shape[1], shape[0], shape[1], shape[0]]) - 1
    left, top, right, bottom = np.clip(box, 0, edges).tolist()
    return Detection(left, top, right - left, bottom - top, score, landmarks)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SettingsError(f"device '{name}' is not there", hint="Use --device cpu.") from error
    return device
