"""Compute the scales of an image's pyramid."""

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


def with_whole_level(scales: list[float], shape: tuple[int, ...]) -> list[float]:
    """The scales and, where the last one leaves its window a good part smaller than the picture, one more.

    At that the window is as large as the shorter side: a face that fills the picture fits into no other.
    """
    # The sum of two floats may fall short of a whole number of pixels.
    last = (WINDOW_PX + 0.01) / min(shape[:2])
    return [*scales, last] if scales and scales[-1] > 1.05 * last else scales
