import numpy as np
import pytest

from fercli.data.loaders import balanced_weights, epoch_batches, plain_batches


@pytest.mark.parametrize(("num", "size", "sizes"), [(10, 8, [5, 5]), (16, 8, [8, 8]), (3, 8, [3]), (17, 8, [6, 6, 5])])
def test_epoch_visits_every_sample_once_in_even_batches(num: int, size: int, sizes: list[int]) -> None:
    batches = epoch_batches(num, size, seed=0, epoch=0)
    assert sorted(place for batch in batches for place in batch) == list(range(num))
    assert [len(batch) for batch in batches] == sizes


def test_order_follows_seed_and_epoch() -> None:
    first = epoch_batches(50, 8, seed=0, epoch=0)
    assert first == epoch_batches(50, 8, seed=0, epoch=0)
    assert first != epoch_batches(50, 8, seed=0, epoch=1)
    assert first != epoch_batches(50, 8, seed=1, epoch=0)


def test_plain_batches_keep_the_order_and_the_remainder() -> None:
    assert plain_batches(5, 2) == [[0, 1], [2, 3], [4]]


def test_balanced_sampler_draws_a_rare_class_as_often_as_a_common_one() -> None:
    targets = np.array([0] * 950 + [1] * 50)
    batches = epoch_batches(1000, 100, seed=0, epoch=0, sampling_weights=balanced_weights(targets))
    drawn = targets[np.concatenate([np.array(batch) for batch in batches])]
    # Binomial(1000, 1/2): five standard deviations are 79.
    assert abs(int(drawn.sum()) - 500) < 80
