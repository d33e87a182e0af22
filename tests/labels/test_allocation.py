import numpy as np
import pytest

from fercli.labels.allocation import MAX_STARTS, allocate_groups


def held(table: np.ndarray, chosen: np.ndarray, num_parts: int) -> np.ndarray:
    """Faces of each class in each part."""
    return np.stack([table[chosen == part].sum(axis=0) for part in range(num_parts)])


def allocate(table: np.ndarray, shares: list[float], seed: int = 0) -> np.ndarray:
    return allocate_groups(table.astype(float), np.array(shares), np.random.default_rng(seed))


def test_equal_groups_are_dealt_out_by_the_shares() -> None:
    table = np.full((10, 2), 5)
    assert np.bincount(allocate(table, [0.6, 0.2, 0.2])).tolist() == [6, 2, 2]


def test_the_one_exact_half_is_found() -> None:
    # 8 + 3 = 6 + 5 faces in no other way.
    chosen = allocate(np.array([[8], [6], [5], [3]]), [0.5, 0.5])
    assert chosen[0] == chosen[3] != chosen[1] == chosen[2]


def test_a_class_of_two_groups_is_in_both_parts() -> None:
    table = np.array([[4, 0], [4, 0], [4, 0], [0, 4], [0, 4], [4, 0]])
    for seed in range(5):
        assert (held(table, allocate(table, [0.5, 0.5], seed), 2)[:, 1] == 4).all()


def test_one_large_group_leaves_no_part_empty() -> None:
    chosen = allocate(np.array([[1000], [1], [1]]), [0.8, 0.1, 0.1])
    assert sorted(chosen.tolist()) == [0, 1, 2]


def test_of_equal_halves_the_one_with_as_many_groups_is_taken() -> None:
    # 4 + 1 + 1 faces and 4 + 2 are both half of them, in three of seven groups and in two.
    chosen = allocate(np.array([[4], [2], [2], [1], [1], [1], [1]]), [0.5, 0.5])
    assert sorted(np.bincount(chosen).tolist()) == [3, 4]


def test_same_seed_same_parts() -> None:
    table = np.random.default_rng(1).integers(0, 9, (30, 3))
    assert np.array_equal(allocate(table, [0.7, 0.3], 4), allocate(table, [0.7, 0.3], 4))


@pytest.mark.parametrize("sizes", [(200, 100), (151, 50), (333, 7, 61)])
def test_single_faces_are_cut_by_class_to_the_nearest_face(sizes: tuple[int, ...]) -> None:
    label = np.repeat(np.arange(len(sizes)), sizes)
    table = np.eye(len(sizes))[label]
    assert len(table) > MAX_STARTS
    shares = np.array([0.7, 0.1, 0.2])
    parts = held(table, allocate(table, shares.tolist()), 3)
    # What a class is owed by rounding is paid by the next: never more than a face off, over all not either.
    assert np.abs(parts - shares[:, None] * np.array(sizes)).max() <= 1
    assert np.abs(parts.sum(axis=1) - shares * sum(sizes)).max() < 1


def test_single_faces_are_shuffled() -> None:
    chosen = allocate(np.ones((200, 1)), [0.5, 0.5])
    assert 20 < np.abs(np.diff(chosen)).sum() < 180
    assert not np.array_equal(chosen, allocate(np.ones((200, 1)), [0.5, 0.5], seed=1))
