import json

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from fercli.data.seeding import generator_for
from fercli.data.transforms import Augmentation, InputFormat, augment, sample, to_input
from fercli.models.table.schema import NormName
from fercli.models.table.specs import MODELS

GREY = InputFormat(8, 1, (0.0,), (1.0,))
RGB = InputFormat(8, 3, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def pictures(num: int, channels: int, side: int) -> Tensor:
    return torch.randint(0, 256, (num, channels, side, side), generator=torch.Generator().manual_seed(1)).to(
        torch.uint8
    )


def changed(images: Tensor, form: InputFormat, augmentation: Augmentation, seed: int = 0) -> Tensor:
    return augment(images, form, augmentation, generator_for(seed, "augment", 0))


def test_input_of_the_right_size_is_only_scaled_and_normalised() -> None:
    images = pictures(2, 3, 8)
    torch.testing.assert_close(to_input(images, RGB), images / 127.5 - 1)


def test_shrinking_agrees_with_torchvision_antialiased() -> None:
    images = pictures(2, 1, 20)
    expected = tv.resize(images / 255, [8, 8], antialias=True)
    torch.testing.assert_close(to_input(images, GREY), expected)


def test_grey_of_rgb_is_bt601() -> None:
    images = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    torch.testing.assert_close(to_input(images, GREY), torch.full((1, 1, 8, 8), 0.299))


def test_grey_crop_fills_three_channels() -> None:
    images = pictures(1, 1, 8)
    filled = to_input(images, RGB)
    assert torch.equal(filled[:, 0], filled[:, 2])


def test_no_augmentation_is_plain_input() -> None:
    for side in (5, 8, 20):
        images = pictures(3, 1, side)
        torch.testing.assert_close(changed(images, GREY, Augmentation()), to_input(images, GREY))


@pytest.mark.parametrize("side", [4, 8, 16])
def test_certain_flip_is_the_mirror_image(side: int) -> None:
    images = pictures(3, 1, side)
    torch.testing.assert_close(changed(images, GREY, Augmentation(flip=1.0)), to_input(images, GREY).flip(-1))


@pytest.mark.parametrize("side", [8, 16])
def test_certain_vertical_flip_stands_on_its_head(side: int) -> None:
    images = pictures(2, 1, side)
    expected = to_input(images.flip(2), GREY)
    torch.testing.assert_close(changed(images, GREY, Augmentation(flip_vertical=1.0)), expected, atol=1e-5, rtol=0)


def test_scale_shrinks_the_image_within_its_frame() -> None:
    # A white square of 4 pixels in the middle of 8, at half its size: the middle 2 stay white, the rest is black.
    images = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    images[:, :, 2:6, 2:6] = 255
    found = changed(images, GREY, Augmentation(scale=(0.5, 0.5)))
    expected = torch.zeros(1, 1, 8, 8)
    expected[:, :, 3:5, 3:5] = 1
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_scales_lie_between_their_bounds() -> None:
    images = torch.zeros(200, 1, 64, 64, dtype=torch.uint8)
    images[:, :, 16:48, 16:48] = 255
    form = InputFormat(64, 1, (0.0,), (1.0,))
    sides = changed(images, form, Augmentation(scale=(0.5, 0.75))).mean((1, 2, 3)).sqrt() * 64
    assert 15.9 <= sides.min() < 17
    assert 23 < sides.max() <= 24.1


def test_about_half_of_the_pictures_flip() -> None:
    images = pictures(1, 1, 8).expand(400, 1, 8, 8)
    is_same = (changed(images, GREY, Augmentation(flip=0.5)) - to_input(images, GREY)).abs().amax((1, 2, 3)) < 1e-4
    assert 150 < int(is_same.sum()) < 250  # Binomial(400, 1/2): five standard deviations are 50


def test_turn_stays_within_its_bound() -> None:
    # A bright spot right of the centre at radius 10.5 pixels: its angle afterwards is the turn.
    form = InputFormat(33, 1, (0.0,), (1.0,))
    images = torch.zeros(200, 1, 33, 33, dtype=torch.uint8)
    images[:, :, 15:18, 26:29] = 255
    moved = changed(images, form, Augmentation(rotate_deg=30.0))[:, 0]
    rows = torch.arange(33.0) - 16
    mass = moved.sum((1, 2))
    angles = torch.atan2((moved * rows[:, None]).sum((1, 2)) / mass, (moved * rows).sum((1, 2)) / mass).rad2deg()
    assert 25 < float(angles.max()) < 31
    assert -31 < float(angles.min()) < -25


def test_a_share_of_the_pictures_is_moved() -> None:
    images = torch.randint(0, 256, (400, 1, 12, 12), dtype=torch.uint8)
    moved = changed(images, GREY, Augmentation(rotate_deg=30.0, shift=0.2, move=0.2))
    is_same = (moved - to_input(images, GREY)).abs().amax((1, 2, 3)) < 1e-4
    assert 280 < int(is_same.sum()) < 360  # Binomial(400, 0.8): five standard deviations are 40


def test_shift_moves_by_a_share_of_the_side() -> None:
    form = InputFormat(20, 1, (0.0,), (1.0,))
    images = torch.zeros(300, 1, 20, 20, dtype=torch.uint8)
    images[:, :, 9:11, 9:11] = 255
    moved = changed(images, form, Augmentation(shift=0.25))[:, 0]
    centre = (moved * torch.arange(20.0)).sum((1, 2)) / moved.sum((1, 2)) - 9.5
    assert float(centre.abs().max()) == pytest.approx(5, abs=0.3)


def test_window_is_cut_out_anywhere_at_its_own_scale() -> None:
    form = InputFormat(12, 1, (0.0,), (1 / 255,), window=0.7)
    places = torch.arange(144, dtype=torch.uint8).reshape(1, 1, 12, 12)
    cut = changed(places.expand(500, 1, 12, 12), form, Augmentation())[:, 0]
    assert cut.shape == (500, 8, 8)
    corners = cut[:, 0, 0]
    # One step right adds 1, one step down adds 12: the window neither turns nor shrinks.
    torch.testing.assert_close(cut, corners[:, None, None] + torch.arange(8.0) + 12 * torch.arange(8.0)[:, None])
    assert 0 <= float(corners.min()) < 3
    assert 49 < float(corners.max()) <= 52  # the last place is row 4, column 4


def test_what_is_judged_is_the_window_in_the_middle() -> None:
    form = InputFormat(12, 1, (0.0,), (1 / 255,), window=0.7)
    places = torch.arange(144, dtype=torch.uint8).reshape(1, 1, 12, 12)
    middle = 2 + torch.arange(8.0) + 12 * (2 + torch.arange(8.0)[:, None])
    torch.testing.assert_close(to_input(places, form)[0, 0], middle)


def test_erased_share_lies_between_its_bounds() -> None:
    form = InputFormat(64, 1, (0.0,), (1.0,))
    images = torch.full((300, 1, 64, 64), 255, dtype=torch.uint8)
    erased = (changed(images, form, Augmentation(erase=1.0, erase_area=(0.1, 0.2))) == 0).float().mean((1, 2, 3))
    assert 0.08 < float(erased.min()) < 0.12
    assert 0.18 < float(erased.max()) < 0.22


def test_erasing_has_its_probability() -> None:
    images = torch.full((400, 1, 8, 8), 255, dtype=torch.uint8)
    erased = (changed(images, GREY, Augmentation(erase=0.25, erase_area=(0.3, 0.4))) == 0).any(-1).any(-1)
    assert 57 < int(erased.sum()) < 143  # Binomial(400, 1/4): five standard deviations are 43


def test_brightness_shifts_the_mean_by_at_most_its_bound() -> None:
    images = torch.full((300, 1, 8, 8), 128, dtype=torch.uint8)
    means = changed(images, GREY, Augmentation(brightness=0.2)).mean((1, 2, 3)) - 128 / 255
    assert 0.18 < float(means.abs().max()) <= 0.2001


def test_contrast_keeps_the_mean() -> None:
    images = (pictures(50, 1, 8) // 4 + 96).to(torch.uint8)
    moved = changed(images, GREY, Augmentation(contrast=0.3))
    torch.testing.assert_close(moved.mean((1, 2, 3)), to_input(images, GREY).mean((1, 2, 3)))
    ratio = moved.std((1, 2, 3)) / to_input(images, GREY).std((1, 2, 3))
    assert 0.69 < float(ratio.min()) < float(ratio.max()) < 1.31


def test_certain_grey_makes_the_channels_equal() -> None:
    moved = changed(pictures(2, 3, 8), RGB, Augmentation(grey=1.0))
    torch.testing.assert_close(moved[:, 0], moved[:, 1])


def test_a_grey_format_loses_colours_before_three_channels_see_them() -> None:
    form = InputFormat(8, 3, (0.0,) * 3, (1.0,) * 3, is_grey=True)
    images = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    for found in (to_input(images, form), changed(images, form, Augmentation(flip=0.5))):
        torch.testing.assert_close(found, torch.full((1, 3, 8, 8), 0.299))


@pytest.mark.parametrize(
    ("name", "norm", "mean", "std"),
    [
        ("sfer-mdfae", "own", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("sfer-mdfae", "imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("poster", "half", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("aer-cnn", "bytes", (0.0,), (1 / 255,)),
        ("aer-cnn", "imagenet", (0.449,), (0.226,)),
    ],
    ids=str,
)
def test_images_are_normalised_as_asked(
    name: str, norm: NormName, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    form = InputFormat.of_spec(MODELS[name], norm=norm)
    assert form.mean == pytest.approx(mean)
    assert form.std == pytest.approx(std)


def test_noise_has_the_stated_spread() -> None:
    images = torch.full((100, 1, 8, 8), 128, dtype=torch.uint8)
    moved = changed(images, GREY, Augmentation(noise=1.0, noise_std=0.05))
    assert float((moved - 128 / 255).std()) == pytest.approx(0.05, rel=0.1)


def test_same_generator_gives_the_same_pictures_and_another_seed_others() -> None:
    everything = Augmentation(0.5, 10.0, 0.1, 0.1, 0.2, 0.2, 0.1, 0.5, 0.05, 0.5)
    images = pictures(4, 3, 8)
    assert torch.equal(changed(images, RGB, everything), changed(images, RGB, everything))
    assert not torch.equal(changed(images, RGB, everything), changed(images, RGB, everything, seed=1))


def test_format_survives_json() -> None:
    assert InputFormat.from_json({**RGB.to_json(), "mean": [0.5] * 3, "std": [0.5] * 3}) == RGB
    assert np.isclose(RGB.mean, 0.5).all()


def test_edges_are_repeated_with_and_without_torchs_own_way() -> None:
    image = torch.rand(2, 3, 9, 13)
    grid = torch.rand(2, 7, 7, 2) * 3 - 1.5
    torch.testing.assert_close(sample(image, grid, has_border=True), sample(image, grid, has_border=False))


FORM = InputFormat(24, 1, (0.0,), (1.0,))


def test_input_format_comes_back_from_json() -> None:
    assert InputFormat.from_json(json.loads(json.dumps(FORM.to_json()))) == FORM


@pytest.mark.parametrize(
    "change",
    [
        {"size": "24"}, {"size": 0}, {"size": 10**9}, {"size": True}, {"channels": 2}, {"mean": ["x"]}, {"mean": []},
        {"std": [0.0]}, {"std": [float("nan")]}, {"window": 1.5}, {"window": None}, {"is_grey": "no"}, {"mean": 0.5},
    ],
    ids=str,
)  # fmt: skip
def test_input_format_of_an_edited_checkpoint_is_refused(change: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        InputFormat.from_json({**FORM.to_json(), **change})
