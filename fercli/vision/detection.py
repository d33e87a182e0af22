"""What a face detector gives; needs no detector to be loaded."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face: box and landmarks in pixels of the frame; the box is cut at the frame's edge."""

    left: float
    top: float
    width: float
    height: float
    confidence: float
    landmarks: Float[np.ndarray, "5 2"]
