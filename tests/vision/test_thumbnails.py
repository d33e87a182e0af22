import numpy as np
import pytest

from fercli.vision.keyframes.thumbnails import difference, thumbnail


def test_thumbnail_of_a_flat_picture_is_flat() -> None:
    for shape in ((1, 1), (20, 30), (1080, 1920), (333, 1111)):
        assert set(np.unique(thumbnail(np.full(shape, 77, np.uint8)))) == {77}


def test_difference_is_the_mean_of_absolute_levels() -> None:
    one, other = np.zeros((36, 64), np.uint8), np.zeros((36, 64), np.uint8)
    other[:9] = 100
    assert difference(one, other) == pytest.approx(25.0)
