"""The preprocessing of the 48x48 networks' notebook: min-max stretch, histogram equalisation, flat pictures out."""

import cv2
import numpy as np
from jaxtyping import UInt8

# The notebook drops images whose equalised grey values have a variance below this: they are constant.
MIN_VARIANCE = 10.0


def stretch(grey: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """Spread the values over 0..255, darkest to 0 and brightest to 255; a constant picture stays as it is."""
    low, high = int(grey.min()), int(grey.max())
    if low == high:
        return grey
    return np.asarray(np.rint((grey.astype(np.float32) - low) * (255.0 / (high - low))), dtype=np.uint8)


def equalise(grey: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """Stretch, then make the histogram as even as whole grey values allow (cv2.equalizeHist)."""
    return np.asarray(cv2.equalizeHist(stretch(grey)), dtype=np.uint8)


def is_flat(grey: UInt8[np.ndarray, "height width"]) -> bool:
    """Whether the picture shows next to nothing: variance below `MIN_VARIANCE`."""
    return float(grey.var()) < MIN_VARIANCE
