import numpy as np
import pytest
import torch
from scipy import stats

from fercli.data.mixing import draw_beta, mix
from fercli.data.seeding import generator_for


def test_mixup_blends_pictures_and_targets_with_one_weight_and_partner() -> None:
    images, targets = torch.rand(6, 1, 4, 4), torch.eye(6)
    mixed, shares = mix(images, targets, mixup=0.4, generator=generator_for(0, "mix", 0))
    torch.testing.assert_close(mixed.sum(0), images.sum(0))
    torch.testing.assert_close(shares.sum(1), torch.ones(6))
    torch.testing.assert_close(mixed, torch.einsum("bk,kchw->bchw", shares, images))


@pytest.mark.parametrize("seed", range(8))
def test_cutmix_shares_are_the_areas_that_are_seen(seed: int) -> None:
    # Picture k is filled with k, so counting pixels tells how much of it is seen.
    images = torch.arange(6.0)[:, None, None, None].expand(6, 2, 10, 12)
    mixed, shares = mix(images, torch.eye(6), cutmix=1.0, generator=generator_for(seed, "mix", 0))
    seen = torch.stack([(mixed[:, 0] == k).float().mean((1, 2)) for k in range(6)], dim=1)
    torch.testing.assert_close(shares, seen)
    assert torch.equal(mixed[:, 0], mixed[:, 1])


def test_cutmix_pastes_one_rectangle_in_place() -> None:
    images = torch.rand(5, 1, 16, 16)
    mixed, _ = mix(images, torch.eye(5), cutmix=1.0, generator=generator_for(3, "mix", 0))
    is_other = (mixed != images).any(0)[0]
    rows, columns = is_other.any(1).nonzero()[:, 0], is_other.any(0).nonzero()[:, 0]
    assert is_other[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()
    assert 0 < is_other.float().mean() < 1
    # What is pasted comes from the same place of another picture.
    sources = (mixed[0, 0][is_other][None] == images[:, 0, is_other]).all(1)
    assert sources.sum() == 1


def test_with_both_about_half_of_the_batches_are_blended() -> None:
    images, blended = torch.arange(4.0)[:, None, None, None].expand(4, 1, 8, 8), 0
    for step in range(100):
        mixed, _ = mix(images, torch.eye(4), mixup=1.0, cutmix=1.0, generator=generator_for(0, "mix", step))
        blended += bool((mixed % 1 > 0).any())
    assert 30 < blended < 70


def test_the_numbers_follow_the_beta_distribution() -> None:
    numbers = [draw_beta(0.3, generator_for(0, "mix", step)) for step in range(500)]
    assert stats.kstest(numbers, stats.beta(0.3, 0.3).cdf).pvalue > 0.01


def test_the_same_generator_gives_the_same_mixture() -> None:
    images, targets = torch.rand(6, 1, 8, 8), torch.eye(6)
    first, second = (mix(images, targets, cutmix=1.0, generator=generator_for(5, "mix", 0))[0] for _ in range(2))
    np.testing.assert_array_equal(first.numpy(), second.numpy())
