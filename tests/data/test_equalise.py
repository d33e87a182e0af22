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
    half = np.zeros((2, 2), dtype=np.uint8)
    half[0] = 6  # variance 9
    assert is_flat(half)
    half[0] = 7  # variance 12.25
    assert not is_flat(half)
