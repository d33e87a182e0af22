import numpy as np

from fercli.sources.census import is_constant, picture_digest, take_census
from tests.sources.trees import grey


def test_equal_pixels_have_one_digest() -> None:
    assert picture_digest(grey(3)) == picture_digest(np.asfortranarray(grey(3)))


def test_one_pixel_makes_another_digest() -> None:
    changed = grey(3)
    changed[0, 0] ^= 1
    assert picture_digest(changed) != picture_digest(grey(3))


def test_the_same_bytes_in_another_shape_are_another_picture() -> None:
    image = grey(3)
    assert picture_digest(image) != picture_digest(image.reshape(24, 96))


def test_a_picture_of_one_value_is_constant() -> None:
    assert is_constant(np.full((4, 4), 7, np.uint8))
    assert not is_constant(np.eye(4, dtype=np.uint8))


def test_copies_are_counted_by_groups_and_contradictions() -> None:
    census = take_census([b"a", b"a", b"b", b"b", b"b", b"c"], ["happy", "happy", "sad", "happy", "sad", "sad"])
    assert (census.num_identical_groups, census.num_conflicting_groups) == (2, 1)
