"""The size of a picture to the scales of its pyramid."""

WINDOW_PX = 12


def level_scales(shape: tuple[int, ...], largest: float, factor: float) -> list[float]:
    """Falling scales, from `largest` on by `factor`, of all levels that a window still fits into.

    mtcnn 1.0.0 takes the number of levels for min_face_size 20 whatever the size asked for, and from 24 on its
    smallest levels are smaller than a window, so it finds nothing. Counting what fits is right for any size.
    """
    scale, scales = largest, []
    while int(min(shape[:2]) * scale) >= WINDOW_PX:
        scales.append(scale)
        scale *= factor
    return scales
