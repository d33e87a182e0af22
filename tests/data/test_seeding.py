import torch

from fercli.data.seeding import derive_seed, generator_for


def test_seed_depends_on_every_part_of_the_place() -> None:
    seeds = {
        derive_seed(seed, use, epoch, step)
        for seed in (0, 1)
        for use in ("order", "augment")
        for epoch in (0, 1)
        for step in (0, 1)
    }
    assert len(seeds) == 16


def test_seed_fits_a_generator() -> None:
    assert all(0 <= derive_seed(7, "network", epoch) < 2**63 for epoch in range(100))


def test_same_place_draws_the_same_numbers() -> None:
    first, second = (torch.rand(5, generator=generator_for(3, "augment", 1, 2)) for _ in range(2))
    assert torch.equal(first, second)
