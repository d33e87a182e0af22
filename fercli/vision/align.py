"""Cut upright faces of a fixed size out of frames, by landmarks or box."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from fercli.core.errors import MediaError

# Left eye, right eye, nose, left mouth corner, right mouth corner in a crop of 112 pixels.
# Source: Deng et al., "ArcFace", CVPR 2019; the coordinates are those of its published alignment.
TEMPLATE: Float[np.ndarray, "5 2"] = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
TEMPLATE_SIZE = 112
MIN_EYE_DISTANCE_PX = 4.0

# Beyond 32 samples a side a crop pixel averages over 1000 frame pixels; more would only cost memory.
_MAX_SAMPLES = 32

Affine = Float[np.ndarray, "2 3"]


def eye_distance(landmarks: Float[np.ndarray, "5 2"]) -> float:
    """Distance of the eyes in pixels."""
    return float(np.hypot(*(landmarks[1] - landmarks[0])))


def crop_face(
    image: UInt8[np.ndarray, "height width 3"],
    landmarks: Float[np.ndarray, "5 2"],
    size: int = TEMPLATE_SIZE,
    margin: float = 0.0,
) -> tuple[UInt8[np.ndarray, "{size} {size} 3"], Affine]:
    """Cut an upright face out of `image`; what lies beyond its edge is black.

    Args:
        image: RGB.
        landmarks: pixels of `image`, left and right as the viewer sees them.
        size: side of the crop, pixels.
        margin: share of the template's side that is added on each side of it.

    Returns:
        The crop, and the affine from pixels of `image` to pixels of the crop.

    Raises:
        MediaError: the eyes are less than 4 pixels apart.

    Source: Umeyama, TPAMI 1991, eq. 40-42.
    """
    distance = eye_distance(landmarks)
    if distance < MIN_EYE_DISTANCE_PX:
        raise MediaError(
            f"eye distance is {distance:.1f} pixels, below the minimum of {MIN_EYE_DISTANCE_PX:.0f}",
            hint="Exclude such small faces with a larger --min-face.",
        )
    affine = similarity(landmarks, template(size, margin))
    return warp(image, affine, size), affine


def crop_box(
    image: UInt8[np.ndarray, "height width 3"],
    box: tuple[float, float, float, float],
    size: int = TEMPLATE_SIZE,
    margin: float = 0.0,
) -> tuple[UInt8[np.ndarray, "{size} {size} 3"], Affine]:
    """Cut the square about the centre of `box` out of `image`, not turned; beyond the edge it is black.

    Args:
        image: RGB.
        box: left, top, width, height in pixels of `image`.
        size: side of the crop, pixels.
        margin: share of the longer side of the box that is added on each side of the square.

    Returns:
        As `crop_face`.

    Raises:
        MediaError: the box has no area.
    """
    left, top, width, height = box
    if width <= 0 or height <= 0:
        raise MediaError(f"the face box has no area ({width:g} x {height:g} pixels)", hint="Exclude this face.")
    side = max(width, height) * (1 + 2 * margin)
    scale = size / side
    # The square's edges fall on the crop's edges, half a pixel before the first pixel's centre.
    corner = np.array([left + width / 2, top + height / 2]) - side / 2
    shift = (0.5 - corner) * scale - 0.5
    affine = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    return warp(image, affine, size), affine


def template(size: int, margin: float = 0.0) -> Float[np.ndarray, "5 2"]:
    """The template for a crop of `size` pixels with `margin` (see `crop_face`)."""
    return np.asarray((TEMPLATE + TEMPLATE_SIZE * margin) * (size / (TEMPLATE_SIZE * (1 + 2 * margin))))


def similarity(points: Float[np.ndarray, "points 2"], targets: Float[np.ndarray, "points 2"]) -> Affine:
    """The rotation, scale and shift (never a mirror) that bring `points` nearest to `targets` in least squares.

    Raises:
        ValueError: all `points` coincide.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
        TPAMI 1991, eq. 40-42.
    """
    mean, target_mean = points.mean(axis=0), targets.mean(axis=0)
    centred, target_centred = points - mean, targets - target_mean
    variance = np.square(centred).sum() / len(points)
    if variance == 0:
        raise ValueError("a similarity needs points that do not all coincide")
    left, singular, right = np.linalg.svd(target_centred.T @ centred / len(points))
    signs = np.array([1.0, 1.0 if np.linalg.det(left) * np.linalg.det(right) > 0 else -1.0])
    turned = (left * signs) @ right * ((singular * signs).sum() / variance)
    return np.column_stack([turned, target_mean - turned @ mean])


def apply(affine: Affine, points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
    """Move points by an affine."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2])


def warp(image: UInt8[np.ndarray, "height width 3"], affine: Affine, size: int) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """Draw `image` moved by `affine` on a black square; when it shrinks, each pixel is the mean of those it covers.

    Pixel centres lie at whole numbers, as in OpenCV.
    """
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    samples = min(int(np.ceil(1 / scale - 1e-6)), _MAX_SAMPLES) if scale > 0 else 1
    if samples <= 1:
        return _warp_linear(image, affine, size)
    # A grid of `samples` by `samples` points in each pixel, then their mean.
    finer = affine * samples
    finer[:, 2] += (samples - 1) / 2
    fine = _warp_linear(image, finer, size * samples)
    return np.asarray(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA))


def _warp_linear(image: np.ndarray, affine: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(cv2.warpAffine(image, affine, (size, size), flags=cv2.INTER_LINEAR))
