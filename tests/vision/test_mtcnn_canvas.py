"""Levels on one canvas against each level alone."""

import numpy as np
import pytest
import torch

from fercli.vision.mtcnn.canvas import lay_out
from fercli.vision.mtcnn.torch import TorchNetworks


def level(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "shapes",
    [[(60, 80), (38, 50), (12, 18)], [(61, 81), (37, 49), (13, 19)], [(12, 12)]],
    ids=["even", "odd", "one cell"],
)
def test_cells_of_a_level_are_those_of_the_level_alone(shapes: list[tuple[int, int]]) -> None:
    networks = TorchNetworks(torch.device("cpu"))
    levels = [level(*shape) for shape in shapes]
    canvas, cells = lay_out(levels)
    logits, regressions = networks.propose(canvas)
    for one, place in zip(levels, cells, strict=True):
        alone_logits, alone_regressions = networks.propose(one)
        assert logits[place].shape == alone_logits.shape
        # The last row and column of an odd level see a pixel that alone is not there.
        inside = tuple(slice(0, num - side % 2) for num, side in zip(alone_logits.shape, one.shape, strict=False))
        np.testing.assert_allclose(logits[place][inside], alone_logits[inside], rtol=0, atol=1e-3)
        np.testing.assert_allclose(regressions[place][inside], alone_regressions[inside], rtol=0, atol=1e-3)


def test_pictures_of_nearly_one_size_share_a_size_of_canvas() -> None:
    first, second = (lay_out([level(*shape), level(40, 60)])[0] for shape in ((64, 97), (75, 120)))
    assert first.shape == second.shape == (80, 256, 3)
