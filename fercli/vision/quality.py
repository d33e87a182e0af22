"""Measure images and landmarks: blur, likeness, roll, yaw."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

# The picture is shrunk to 32 x 32 and described by the signs of its 8 x 8 lowest frequencies.
_PHASH_SIDE, _PHASH_KEPT = 32, 8
_BLUR_TAPS = 9
_STRIP_ROWS = 64


def sharpness(image: UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width 3"]) -> float:
    """Variance of the Laplacian of the luma; low is blurred. Compare only pictures of one size.

    Args:
        image: RGB or luma.

    Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000, eq. 4.
    """
    luma = _luma(image)
    total = squares = 0.0
    # In strips that stay in the processor's cache: half the time of the whole at once.
    for first in range(0, len(luma), _STRIP_ROWS):
        above = min(first, 1)
        edges = cv2.Laplacian(luma[first - above : first + _STRIP_ROWS + 1], cv2.CV_16S)
        edges = edges[above : above + _STRIP_ROWS]
        total += cv2.sumElems(edges)[0]
        squares += cv2.norm(edges, cv2.NORM_L2SQR)
    return max(0.0, squares / luma.size - (total / luma.size) ** 2)


def blur(image: UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width 3"]) -> float:
    """Perceived blur, 0 (sharp) to 1, whatever the size or contrast; 1 for a picture without any edge.

    How little a picture's steps shrink when it is blurred once more, along the worse of its two axes.

    Args:
        image: RGB or luma.

    Source: Crete et al., "The blur effect: perception and estimation with a new no-reference perceptual blur metric",
        SPIE 2007, section 3.
    """
    luma = _luma(image).astype(np.float32)
    across = _step_share_lost(luma, cv2.blur(luma, (_BLUR_TAPS, 1)), axis=1)
    down = _step_share_lost(luma, cv2.blur(luma, (1, _BLUR_TAPS)), axis=0)
    return 1.0 - min(across, down)


def phash(image: UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width 3"]) -> str:
    """Perceptual hash of 64 bits as 16 hexadecimal digits; pictures that look alike differ in few bits.

    Args:
        image: RGB or luma.

    Source: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, section 3.2.1.
    """
    small = cv2.resize(_luma(image), (_PHASH_SIDE, _PHASH_SIDE), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float64))[:_PHASH_KEPT, :_PHASH_KEPT]
    # Rounding first: frequencies that a flat picture lacks must not get their sign from rounding noise.
    low = np.round(low, 6)
    return np.packbits(low > np.median(low)).tobytes().hex()


def hamming(first: str, second: str) -> int:
    """Number of bits in which two hashes of equal length differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def roll_deg(landmarks: Float[np.ndarray, "5 2"]) -> float:
    """Tilt of the eye line in degrees, -180 to 180; positive when the right eye is the lower one in the picture."""
    across, down = landmarks[1] - landmarks[0]
    return float(np.degrees(np.arctan2(down, across)))


def yaw_share(landmarks: Float[np.ndarray, "5 2"]) -> float:
    """How far a face is turned aside: the nose's place between the eyes, 0 in the middle, -1 and 1 at an eye.

    Positive when the face looks to the viewer's right; measured along the eye line, so that a tilted head counts as
    one upright. A proxy, no angle.
    """
    eyes = landmarks[1] - landmarks[0]
    half = float(eyes @ eyes) / 2
    return float((landmarks[2] - (landmarks[0] + landmarks[1]) / 2) @ eyes) / half if half else 0.0


def _luma(image: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) if image.ndim == 3 else image


def _step_share_lost(luma: np.ndarray, blurred: np.ndarray, axis: int) -> float:
    steps, blurred_steps = np.abs(np.diff(luma, axis=axis)), np.abs(np.diff(blurred, axis=axis))
    total = float(steps.sum())
    return float(np.maximum(steps - blurred_steps, 0).sum()) / total if total else 0.0
