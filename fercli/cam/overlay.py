"""Overlay of a map on a face."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8


def overlay_cam(
    image: UInt8[np.ndarray, "height width 3"],
    cam: Float[np.ndarray, "rows columns"],
    *,
    opacity: float = 0.65,
) -> UInt8[np.ndarray, "height width 3"]:
    """Lay a map in the colours of `inferno` over a face in grey; where the map is 0 the face stays clear.

    Colour then means the map alone, never skin or light, and the colours keep their order in print and for
    colour-blind readers, which the usual rainbow does not.

    Args:
        image: RGB.
        cam: 0 to 1; enlarged to the image's size when they differ.
        opacity: share of the map's colour where the map is 1.
    """
    height, width = image.shape[:2]
    if cam.shape != (height, width):
        cam = cv2.resize(cam, (width, height), interpolation=cv2.INTER_LINEAR)
    cam = np.clip(cam, 0.0, 1.0).astype(np.float32)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.float32)
    levels = np.round(cam * 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB).astype(np.float32)
    weight = opacity * cam[:, :, None]
    mixed: UInt8[np.ndarray, "height width 3"] = np.round(grey * (1 - weight) + colours * weight).astype(np.uint8)
    return mixed
