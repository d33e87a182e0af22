import numpy as np

from fercli.data.equalise import equalise, is_flat, stretch


def test_stretch_takes_darkest_to_black_and_brightest_to_white() -> None:
    grey = np.array([[50, 100], [75, 60]], dtype=np.uint8)
    # (75 - 50) * 255 / 50 = 127.5 -> 128 (round half to even), (60 - 50) * 5.1 = 51
    assert stretch(grey).tolist() == [[0, 255], [128, 51]]


def test_constant_picture_stays_as_it_is() -> None:
    grey = np.full((4, 4), 9, dtype=np.uint8)
    assert np.array_equal(stretch(grey), grey)


def test_equalised_histogram_is_even() -> None:
    # Four pixels of each value; the lower half of the values lies twice as far apart as the upper half.
    values = np.concatenate([np.arange(100, 164, 2), np.arange(164, 196)])
    grey = np.repeat(values.astype(np.uint8), 4).reshape(16, 16)
    counts, _ = np.histogram(equalise(grey), bins=4, range=(0, 256))
    assert np.abs(counts - 64).max() <= 8


def test_flatness_is_a_variance_below_ten() -> None:
    grey = np.zeros((2, 5), dtype=np.uint8)
    # One of ten pixels differs by d: variance 0.09 d^2.
    grey[0, 0] = 10
    assert is_flat(grey)
    grey[0, 0] = 11  # 10.89
    assert not is_flat(grey)
