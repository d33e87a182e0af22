import numpy as np

from fercli.demo.identity import draw_identity


def test_same_seed_is_the_same_pupil_and_another_seed_another() -> None:
    first, again, other = (draw_identity(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_beards_go_with_short_hair_only() -> None:
    rng = np.random.default_rng(0)
    bearded = [one for one in (draw_identity(rng) for _ in range(200)) if one.beard]
    assert bearded
    assert {one.hair_style for one in bearded} <= {"short", "buzz", "parted", "curly"}


def test_looks_vary_from_pupil_to_pupil() -> None:
    rng = np.random.default_rng(0)
    pupils = [draw_identity(rng) for _ in range(100)]
    assert len({one.hair_style for one in pupils}) >= 8
    assert {one.glasses for one in pupils} == {"none", "round", "square"}
    assert np.ptp([sum(one.skin) for one in pupils]) > 250
