import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fercli.data.batches import RamCrops
from fercli.data.transforms import InputFormat
from fercli.learn.evaluate import predict_probability_batches, validate
from tests.learn.drawn import MACHINE

FORM = InputFormat(8, 1, (0.0,), (1.0,))


class LeftRight(nn.Module):
    """Logits are the brightness of the left and of the right half."""

    def forward(self, image_BCHW: Tensor) -> Tensor:
        return torch.stack((image_BCHW[..., :4].mean((1, 2, 3)), image_BCHW[..., 4:].mean((1, 2, 3))), dim=1)


def crops(*halves: tuple[int, int]) -> RamCrops:
    images = torch.zeros(len(halves), 1, 8, 8, dtype=torch.uint8)
    for place, (left, right) in enumerate(halves):
        images[place, ..., :4], images[place, ..., 4:] = left, right
    return RamCrops(images)


def test_validation_by_hand() -> None:
    three = crops((255, 0), (0, 255), (255, 0))
    found = validate(LeftRight(), three, np.array([0, 1, 1]), form=FORM, machine=MACHINE, num_classes=2, batch_size=2)
    right, wrong = math.log(1 + math.exp(-1)), math.log(1 + math.e)
    assert found.loss == pytest.approx((2 * right + wrong) / 3)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.macro_f1 == pytest.approx(2 / 3)  # F1 2/3 for both classes


@pytest.mark.parametrize("test_time", ["flip", "ten-crop"])
def test_views_and_mirror_images_cancel_the_side(test_time: str) -> None:
    (found,) = predict_probability_batches(
        LeftRight(),
        crops((255, 0)),
        form=FORM,
        machine=MACHINE,
        batch_size=4,
        test_time=test_time,  # type: ignore[arg-type]
    )
    np.testing.assert_allclose(found, [[0.5, 0.5]], atol=1e-6)


class FirstPixels(nn.Module):
    """Keeps the first pixel of all it sees, and its side."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int]] = []

    def forward(self, image_BCHW: Tensor) -> Tensor:
        self.seen.append((round(float(image_BCHW[0, 0, 0, 0])), image_BCHW.shape[-1]))
        return torch.zeros(1, 2)


@pytest.mark.parametrize(
    ("test_time", "pixels"),
    [("none", [26]), ("flip", [26, 33]), ("ten-crop", [26, 0, 4, 48, 52, 33, 7, 11, 55, 59])],
)
def test_network_that_learnt_from_windows_judges_windows_at_their_own_scale(test_time: str, pixels: list[int]) -> None:
    places = RamCrops(torch.arange(144, dtype=torch.uint8).reshape(1, 1, 12, 12))
    form, model = InputFormat(12, 1, (0.0,), (1 / 255,), window=0.7), FirstPixels()
    list(
        predict_probability_batches(
            model,
            places,
            form=form,
            machine=MACHINE,
            batch_size=1,
            test_time=test_time,  # type: ignore[arg-type]
        )
    )
    assert model.seen == [(pixel, 8) for pixel in pixels]


def test_without_views_probabilities_are_the_softmax() -> None:
    parts = list(
        predict_probability_batches(LeftRight(), crops((255, 0), (0, 255)), form=FORM, machine=MACHINE, batch_size=1)
    )
    high = math.e / (1 + math.e)
    np.testing.assert_allclose(np.concatenate(parts), [[high, 1 - high], [1 - high, high]], rtol=1e-6)


def test_evaluation_leaves_batch_norm_alone() -> None:
    model = nn.Sequential(nn.BatchNorm2d(1), LeftRight()).train()
    list(predict_probability_batches(model, crops((9, 200)), form=FORM, machine=MACHINE, batch_size=1))
    norm = model[0]
    assert isinstance(norm, nn.BatchNorm2d)
    assert int(norm.num_batches_tracked) == 0  # type: ignore[arg-type]  # a tensor
